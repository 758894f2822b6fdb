export const runtimes = [];
