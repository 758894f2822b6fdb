export * from '../engine-glue.js';
