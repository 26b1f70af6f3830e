import { readdirSync, readFileSync } from 'node:fs';

/** A file of the page, as it goes to a browser. */
export interface PageFile {
  readonly type: string;
  readonly bytes: Buffer;
}

const TYPE_BY_ENDING: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Files of packages that the page loads, by their names there (docs/adr/0020-page.md). */
const PACKAGE_FILES: Readonly<Record<string, string>> = {
  'd3-dispatch.js': 'd3-dispatch/dist/d3-dispatch.min.js',
  'd3-quadtree.js': 'd3-quadtree/dist/d3-quadtree.min.js',
  'd3-timer.js': 'd3-timer/dist/d3-timer.min.js',
  'd3-force.js': 'd3-force/dist/d3-force.min.js',
  'uplot.js': 'uplot/dist/uPlot.iife.min.js',
  'uplot.css': 'uplot/dist/uPlot.min.css',
};

/**
 * All files of the page by their paths, read once: what is not among them is not there, whatever a path looks like. Throws
 * the error of the system where one cannot be read.
 */
export function pageFiles(): ReadonlyMap<string, PageFile> {
  const own = new URL('page/', import.meta.url);
  const packages = new URL('../node_modules/', import.meta.url);
  const fileByPath = new Map<string, PageFile>();
  for (const name of readdirSync(own, { recursive: true, encoding: 'utf8' })) {
    const type = typeOf(name);
    if (type === undefined) continue;
    const file = { type, bytes: readFileSync(new URL(name, own)) };
    fileByPath.set(name === 'index.html' ? '/' : `/page/${name}`, file);
  }
  for (const [name, path] of Object.entries(PACKAGE_FILES))
    fileByPath.set(`/vendor/${name}`, { type: typeOf(name)!, bytes: readFileSync(new URL(path, packages)) });
  return fileByPath;
}

function typeOf(name: string): string | undefined {
  return TYPE_BY_ENDING[name.split('.').at(-1)!];
}
