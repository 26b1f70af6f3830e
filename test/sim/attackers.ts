/** Who attacks. */
export interface Attackers {
  /** Does one harmful thing. */
  strike(): void;
}
