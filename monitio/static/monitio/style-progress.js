export const PROGRESS = `
:host { display: block; }
:host > div, div:has(> svg) { display: flex; align-items: flex-start; gap: .625rem; }
`;
