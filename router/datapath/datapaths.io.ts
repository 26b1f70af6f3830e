import type { DatapathKind } from './datapath.ts';
import { FAST } from './fast/open-fast.io.ts';
import { SLEEVE } from './sleeve/open-sleeve.io.ts';

/** The datapaths of this build, the fastest first. */
export const DATAPATHS: readonly DatapathKind[] = [FAST, SLEEVE];
