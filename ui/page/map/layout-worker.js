/**
 * Finds places for the items of a map, beside the page's own thread. In: a {@link LayoutTask}; out: {@link LayoutPlaces}
 * after each step, until nothing moves any more. What had a place keeps it, as far as the others let it.
 *
 * @typedef {object} LayoutTask
 * @property {number} run comes back with each answer
 * @property {'groups' | 'rings'} mode
 * @property {number} aspect width by height of the map
 * @property {boolean} isStill tell of the end only
 * @property {readonly string[]} ids
 * @property {readonly string[]} groups of each item
 * @property {readonly number[]} order the number of each item among all, the one in the middle first
 * @property {readonly number[]} links pairs of indexes
 *
 * @typedef {object} LayoutPlaces
 * @property {number} run
 * @property {boolean} isDone
 * @property {Float32Array} places x and y of each item
 * @property {readonly { readonly name: string, readonly x: number, readonly y: number, readonly r: number }[]} groups
 *
 * @typedef {{ x: number, y: number, vx: number, vy: number, index: number, id: string, group: Group | undefined, ring: number }} Place
 * @typedef {{ name: string, x: number, y: number, r: number, count: number }} Group
 */
import '/vendor/d3-dispatch.js';
import '/vendor/d3-quadtree.js';
import '/vendor/d3-timer.js';
import '/vendor/d3-force.js';

const { forceSimulation, forceCollide, forceLink, forceManyBody, forceRadial, forceX, forceY } =
  /** @type {any} */ (globalThis).d3;

const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));
/** An item with its name takes a disc of this radius, pixels. */
const ITEM_SPACE = 29;
const RING_SPACE = 25;
/** The first steps are made at once, so that the first picture is a good one. */
const FIRST_STEPS_MS = 120;
const STEP_MS = 16;
const MAX_KEPT = 20_000;
const MAX_IN_ONE_RING = 32;

/** @type {Map<string, { x: number, y: number }>} */
const placeById = new Map();
/** @type {Map<string, Group>} */
const groupByName = new Map();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

self.onmessage = ({ data }) => start(data);

/** @param {LayoutTask} task */
function start(task) {
  clearTimeout(timer);
  const isFirst = task.ids.filter((id) => placeById.has(id)).length * 2 < task.ids.length;
  const groups = task.mode === 'groups' ? placeGroups(task) : [];
  const places = firstPlaces(task);
  const simulation = task.mode === 'groups' ? inGroups(places, task) : inRings(places, task);
  simulation
    .alpha(isFirst ? 0.9 : 0.35)
    .alphaDecay(0.035)
    .velocityDecay(0.45)
    .stop();
  // What is filtered away, or stands on the other map, finds its place again when it comes back.
  if (placeById.size > MAX_KEPT) placeById.clear();
  const tell = (/** @type {boolean} */ isDone) => {
    const flat = new Float32Array(places.length * 2);
    places.forEach(({ id, x, y }, i) => {
      placeById.set(id, { x, y });
      flat[2 * i] = x;
      flat[2 * i + 1] = y;
    });
    /** @type {LayoutPlaces} */
    const message = { run: task.run, isDone, places: flat, groups };
    postMessage(message, { transfer: [flat.buffer] });
  };
  const isSettled = () => simulation.alpha() < 0.02;
  const until = performance.now() + FIRST_STEPS_MS;
  while (!isSettled() && (task.isStill || (isFirst && performance.now() < until))) simulation.tick();
  const step = () => {
    const begun = performance.now();
    if (!isSettled()) simulation.tick();
    tell(isSettled());
    if (!isSettled()) timer = setTimeout(step, Math.max(0, STEP_MS - (performance.now() - begun)));
  };
  step();
}

/**
 * Each group has a disc of its own, that is large enough for its items; discs do not overlap.
 *
 * @param {LayoutTask} task
 * @returns {Group[]}
 */
function placeGroups({ groups, links, aspect }) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const name of groups) counts.set(name, (counts.get(name) ?? 0) + 1);
  const hasChanged =
    counts.size !== groupByName.size || [...counts].some(([name, n]) => groupByName.get(name)?.count !== n);
  for (const name of groupByName.keys()) if (!counts.has(name)) groupByName.delete(name);
  if (!hasChanged) return [...groupByName.values()];
  const largestFirst = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  largestFirst.forEach(([name, count], i) => {
    const far = 60 * Math.sqrt(i);
    const known = groupByName.get(name) ?? {
      name,
      x: far * Math.cos(i * GOLDEN_ANGLE) * aspect,
      y: far * Math.sin(i * GOLDEN_ANGLE),
    };
    groupByName.set(name, { ...known, count, r: 14 + ITEM_SPACE * 0.95 * Math.sqrt(count) });
  });
  const all = [...groupByName.values()];
  const index = new Map(all.map(({ name }, i) => [name, i]));
  /** @type {Map<string, { source: number, target: number, weight: number }>} */
  const between = new Map();
  for (let i = 0; i < links.length; i += 2) {
    const source = index.get(groups[/** @type {number} */ (links[i])] ?? '') ?? 0;
    const target = index.get(groups[/** @type {number} */ (links[i + 1])] ?? '') ?? 0;
    if (source === target) continue;
    const key = source < target ? `${source} ${target}` : `${target} ${source}`;
    const known = between.get(key);
    between.set(key, { source, target, weight: (known?.weight ?? 0) + 1 });
  }
  const pull = forceLink([...between.values()])
    .distance((/** @type {any} */ link) => link.source.r + link.target.r + 30)
    .strength((/** @type {any} */ link) => Math.min(0.25, 0.04 + link.weight / 200));
  const simulation = forceSimulation(all)
    .force('apart', forceCollide((/** @type {Group} */ group) => group.r + 20).iterations(4))
    .force('pull', pull)
    .force('x', forceX(0).strength(0.06 / aspect ** 2))
    .force('y', forceY(0).strength(Math.min(0.3, 0.06 * aspect ** 2)))
    .stop();
  for (let i = 0; i < 160; i++) simulation.tick();
  // What pulls may have pushed two over each other a little: in the end they only make room.
  simulation.force('pull', null).force('x', null).force('y', null).alpha(0.3);
  for (let i = 0; i < 60; i++) simulation.tick();
  return all;
}

/**
 * Where each item begins: where it was, else as seeds stand in a sunflower, by itself or in its group.
 *
 * @param {LayoutTask} task
 * @returns {Place[]}
 */
function firstPlaces({ ids, groups, mode, order }) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  return ids.map((id, index) => {
    const group = mode === 'groups' ? groupByName.get(groups[index] ?? '') : undefined;
    const inGroup = seen.get(group?.name ?? '') ?? 0;
    seen.set(group?.name ?? '', inGroup + 1);
    const number = mode === 'rings' ? (order[index] ?? inGroup) : inGroup;
    const seed = sunflower(number, group === undefined ? 2 * RING_SPACE * 0.79 : ITEM_SPACE * 0.8);
    const first = mode === 'rings' && ids.length <= MAX_IN_ONE_RING ? inOneRing(number, ids.length) : seed;
    const known = placeById.get(id);
    const x = known?.x ?? (group?.x ?? 0) + first.x;
    const y = known?.y ?? (group?.y ?? 0) + first.y;
    return { x, y, vx: 0, vy: 0, index, id, group, ring: Math.hypot(first.x, first.y) };
  });
}

/**
 * @param {number} number
 * @param {number} space
 */
function sunflower(number, space) {
  const far = space * Math.sqrt(number);
  return { x: far * Math.cos(number * GOLDEN_ANGLE), y: far * Math.sin(number * GOLDEN_ANGLE) };
}

/**
 * The first in the middle, the others around it, the later ones a little further away.
 *
 * @param {number} number
 * @param {number} count
 */
function inOneRing(number, count) {
  if (number === 0) return { x: 0, y: 0 };
  const angle = ((number - 1) * 2 * Math.PI) / Math.max(1, count - 1) - Math.PI / 2;
  const far = Math.max(130, 11 * count) * (1 + (0.3 * number) / count);
  return { x: far * 1.35 * Math.cos(angle), y: far * Math.sin(angle) };
}

/**
 * @param {Place[]} places
 * @param {LayoutTask} task
 */
function inGroups(places, task) {
  const links = pairs(places, task.links);
  const isWithin = (/** @type {any} */ link) => link.source.group === link.target.group;
  return forceSimulation(places)
    .force(
      'link',
      forceLink(links)
        .distance(64)
        .strength((/** @type {any} */ link) => (isWithin(link) ? 0.12 : 0.006)),
    )
    .force('apart', forceManyBody().strength(-55).distanceMax(140))
    .force('room', forceCollide(ITEM_SPACE * 0.78).iterations(2))
    .force('x', forceX((/** @type {Place} */ { group }) => group?.x ?? 0).strength(0.13))
    .force('y', forceY((/** @type {Place} */ { group }) => group?.y ?? 0).strength(0.13))
    .force('within', () => places.forEach(keepWithin));
}

/**
 * Nobody leaves the disc of its group.
 *
 * @param {Place} place
 */
function keepWithin(place) {
  const { group } = place;
  if (group === undefined) return;
  const x = place.x + place.vx - group.x;
  const y = place.y + place.vy - group.y;
  const far = Math.hypot(x, y);
  const most = Math.max(0, group.r - 20);
  if (far <= most || far === 0) return;
  place.vx -= x * (1 - most / far);
  place.vy -= y * (1 - most / far);
}

/**
 * @param {Place[]} places
 * @param {LayoutTask} task
 */
function inRings(places, task) {
  const ring = (/** @type {Place} */ place) => place.ring;
  const first = places[task.order.indexOf(0)];
  const isSmall = task.ids.length <= MAX_IN_ONE_RING;
  return forceSimulation(places)
    .force('ring', forceRadial(ring).strength(0.2))
    .force('room', forceCollide(isSmall ? ITEM_SPACE : RING_SPACE * 0.8).iterations(2))
    .force(
      'apart',
      forceManyBody()
        .strength(isSmall ? -40 : -12)
        .distanceMax(160),
    )
    .force('middle', () => {
      if (first === undefined) return;
      first.vx -= first.x * 0.3;
      first.vy -= first.y * 0.3;
    });
}

/**
 * @param {Place[]} places
 * @param {readonly number[]} links
 */
function pairs(places, links) {
  const made = [];
  for (let i = 0; i < links.length; i += 2)
    if (links[i] !== links[i + 1])
      made.push({ source: places[links[i] ?? 0], target: places[links[i + 1] ?? 0] });
  return made;
}
