import { endpointHost, endpointPort, parseEndpoint } from '../base/endpoint.ts';

/** An address and a port that lie outside of the cluster. */
export interface OutsideTarget {
  readonly address: string;
  readonly port: number;
}

/** Reads `192.0.2.1:443` or `[2001:db8::1]:443`; undefined where it is neither. */
export function readOutsideTarget(text: string): OutsideTarget | undefined {
  const at = parseEndpoint(text);
  return at === undefined ? undefined : { address: endpointHost(at), port: endpointPort(at) };
}
