export const extensions = [];
