import type { DatapathKind } from './datapath.ts';
import { SLEEVE } from './sleeve/open-sleeve.io.ts';

/** The datapaths of this build, the fastest first. */
export const DATAPATHS: readonly DatapathKind[] = [SLEEVE];
