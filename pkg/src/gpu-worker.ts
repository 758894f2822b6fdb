/** The script of the web worker that computes on the GPU: one of its own, so that nothing of it can hold up the other. */

import { openGpuEngine } from './gpu-engine.js';
import { holdForLife } from './locks.js';
import { serve } from './serve.js';
import { port } from './web-port.js';
import { web } from './web.js';

void serve(port, web.fetch, openGpuEngine, holdForLife());
