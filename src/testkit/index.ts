export { type ArbitraryOptions, arbitraryObject, arbitraryValue, fullObject } from './arbitrary.ts';
export { complaints, created, settleBody, updated } from './kind-check.ts';
