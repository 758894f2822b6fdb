// The script of a page that a bundler builds.

import { createAnalyzer } from 'mixed-feelings';

import { outcome } from './consumer.js';

window.outcome = outcome(createAnalyzer);
