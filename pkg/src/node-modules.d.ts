/** The little that is used of Node.js, which Deno and Bun have too: the types of all of it would be global. */

declare module 'node:fs/promises' {
  export interface FileHandle {
    stat(): Promise<{ readonly size: number }>;
    read(buffer: Uint8Array): Promise<{ readonly bytesRead: number }>;
    close(): Promise<void>;
  }
  export function open(file: URL): Promise<FileHandle>;
  export function stat(file: URL): Promise<{ isFile(): boolean }>;
}

declare module 'node:os' {
  export function availableParallelism(): number;
}

declare module 'node:path' {
  export function resolve(path: string): string;
}

declare module 'node:url' {
  export function pathToFileURL(path: string): URL;
}

declare module 'node:worker_threads' {
  export class Worker {
    constructor(script: URL, options: { name: string; execArgv: string[] });
    postMessage(message: unknown, transfer?: unknown): void;
    terminate(): Promise<number>;
  }
  export const parentPort: {
    postMessage(message: unknown): void;
    on(event: 'message', heard: (message: never) => void): void;
    on(event: 'messageerror', lost: () => void): void;
  } | null;
}
