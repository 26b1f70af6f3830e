import { Lab } from './harness/lab.ts';
import { WeftLab } from './weft-lab.ts';

/** A lab that a suite of others runs against. */
export interface SuiteLab {
  readonly lab: Lab;
  /** Takes it down, unless it was up before. */
  end(): Promise<void>;
}

/** A lab of its own with Weft (`weft`) or the plain bridge (`bridge`), or the one that is `up`; the API server reaches pods. */
export async function labForSuite(cni: string): Promise<SuiteLab> {
  if (cni === 'up') return { lab: Lab.attach(), end: async () => {} };
  const lab = await makeLab(cni);
  return { lab, end: () => lab.down() };
}

async function makeLab(cni: string): Promise<Lab> {
  if (cni === 'bridge') return Lab.up({ cni: 'bridge' });
  if (cni !== 'weft') throw new Error('--cni is weft, bridge or up');
  const weft = await WeftLab.up();
  await weft.joinControlPlane();
  return weft.lab;
}
