// What every page does: listen for topics, look again at what shows them, keep what is typed.
import { listenToKeys } from "./keys.js";
import { switchInPlace } from "./language.js";
import { listen } from "./live.js";

listen();
listenToKeys();
switchInPlace();
