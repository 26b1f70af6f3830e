/**
 * How long a removed peer's sessions and views get to die before its ranges move, in milliseconds, where nothing else is
 * given. As long as a tunnel's session may live: whoever has not heard of the removal accepts no packet of the peer any
 * more.
 */
export const DEFAULT_SAFE_WAIT_MS = 180_000;
