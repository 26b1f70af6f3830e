import { loadSodium } from './sodium.ts';

/** Resolves when the primitives may be called. Everything else in this folder is synchronous. */
export const cryptoReady: Promise<void> = loadSodium();
