/** The web worker's script. */

import { openEngine } from './engine.js';
import { holdForLife } from './locks.js';
import { serve } from './serve.js';
import { port } from './web-port.js';
import { web } from './web.js';

void serve(port, web.fetch, openEngine, holdForLife());
