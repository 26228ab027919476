// What every page does: hear what changed, save what is typed, say that a person is there.
import { alive } from "./alive.js";
import { autosave } from "./autosave.js";
import { codes } from "./codes.js";
import { parts } from "./form.js";
import { listenToKeys } from "./keys.js";
import { switchInPlace } from "./language.js";
import { listen } from "./live.js";
import { lock } from "./lock.js";
import { needed } from "./needed.js";
import { once } from "./twice.js";

listen();
once();
autosave();
parts();
codes();
listenToKeys();
switchInPlace();
alive();
lock();
needed();
