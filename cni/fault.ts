import { InvariantError } from '../base/assert.ts';
import { WeftError } from '../base/weft-error.ts';

/**
 * Codes of CNI error documents: those the specification lists, the two its reference implementation adds (8 and
 * 999), and, from 100, our own.
 */
export const CNI_CODE = {
  incompatibleVersion: 1,
  /** The message names the key and its value. */
  unsupportedField: 2,
  unknownContainer: 3,
  environment: 4,
  io: 5,
  decode: 6,
  config: 7,
  netns: 8,
  tryLater: 11,
  notAvailable: 50,
  limitedConnectivity: 51,
  /** The pod already has an interface of that name, or the container is attached already. */
  exists: 100,
  /** CHECK: something of the attachment is not as ADD left it. */
  notAsAttached: 101,
  internal: 999,
} as const;

type CniCode = (typeof CNI_CODE)[keyof typeof CNI_CODE];

/** Why a CNI call fails, as the runtime will read it. Thrown inside a call; `CniPlugin.handle` makes it the answer. */
export class CniFault extends Error {
  override name = 'CniFault';
  readonly code: CniCode;
  /** A longer description for people, or undefined. */
  readonly details: string | undefined;

  constructor(
    code: CniCode,
    message: string,
    options: { readonly details?: string; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.details = options.details;
  }
}

/** The error document of CNI 1.1.0, section Error. */
export interface CniErrorDocument {
  readonly cniVersion: string;
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

/** The error of a call as the runtime reads it (CNI 1.1.0, Error). `details` are left out where there are none. */
export function errorDocument(cniVersion: string, fault: CniFault): CniErrorDocument {
  const document = { cniVersion, code: fault.code, msg: fault.message };
  return fault.details === undefined ? document : { ...document, details: fault.details };
}

/** What the runtime is told of `error`. A broken invariant is no fault of the call: it is thrown on and ends the daemon. */
export function faultOf(error: unknown): CniFault {
  if (error instanceof InvariantError) throw error;
  if (error instanceof CniFault) return error;
  if (error instanceof WeftError) {
    return new CniFault(CNI_CODE.tryLater, error.message, { details: error.remedy, cause: error });
  }
  return new CniFault(CNI_CODE.internal, describeFault(error), { cause: error });
}

/** `error` in one line, for people. */
export function describeFault(error: unknown): string {
  if (error instanceof WeftError) return error.line;
  return error instanceof Error ? error.message : String(error);
}
