export const types = [];
