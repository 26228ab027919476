// What every page does: listen for topics, look again at what shows them, keep what is typed.
import { listen } from "./live.js";

listen();
