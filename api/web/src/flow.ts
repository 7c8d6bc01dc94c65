// The flow graph → where everything is drawn (pure): alike units in one box, boxes in layers along the flow.
// Layers by longest path, order within a layer by barycentre (Sugiyama, Tagawa, Toda 1981, doi:10.1109/TSMC.1981.4308636).

import type { Asset, Plant } from "./model";

export type Kind = "machine" | "buffer" | "berth" | "tiles";
export type Box = {
  id: string;
  kind: Kind;
  assets: Asset[];
  outside: boolean; // neighbours of what is shown
  along: number; // layer
  x: number;
  y: number;
  width: number;
  height: number;
};
export type Edge = { from: Box; to: Box };
export type Layout = { boxes: Box[]; edges: Edge[]; width: number; height: number; down: boolean };

export const MACHINE = { width: 164, height: 92 };
export const BUFFER = { width: 92, height: 92 };
export const BERTH = { width: 112, height: 92 };
export const TILE = { width: 66, height: 34, gap: 4, columns: 5 };
export const GAP = { along: 40, across: 14, member: 8 };
const DENSE_FROM = 7; // more alike units than this are drawn as tiles
const MOST_IN_COLUMN = 3;
const SWEEPS = 6;
const HEAD = 20; // room for a box's title

export const below = (path: string, under: string): boolean => !under || path === under || path.startsWith(`${under}/`);

/** Everything at and below a path that has a place in the flow, and what it hands over to. */
export function layout(plant: Plant, under: string, down: boolean): Layout {
  const boxes = boxesOf(plant, under);
  const byAsset = new Map(boxes.flatMap((box) => (box.kind === "berth" ? [] : box.assets.map((asset) => [asset.path, box] as const))));
  const edges = new Map<string, Edge>();
  const join = (from: Box | undefined, to: Box | undefined) => from && to && from !== to && edges.set(`${from.id}>${to.id}`, { from, to });
  for (const link of plant.flow) {
    const buffer = link.buffer === null ? undefined : byAsset.get(link.buffer);
    join(byAsset.get(link.source), buffer ?? byAsset.get(link.target));
    if (buffer) join(buffer, byAsset.get(link.target));
  }
  for (const berth of boxes.filter((box) => box.kind === "berth")) join(berth, byAsset.get(berth.assets[0]!.path));
  const found = [...edges.values()];
  layer(boxes, found);
  const layers = ordered(boxes, found);
  return { boxes, edges: found, down, ...placed(layers, found, down) };
}

function boxesOf(plant: Plant, under: string): Box[] {
  const known = new Map(plant.assets.map((asset) => [asset.path, asset]));
  const touched = new Set<string>();
  for (const { source, target, buffer } of plant.flow) {
    const all = buffer === null ? [source, target] : [source, buffer, target];
    if (all.some((path) => below(path, under))) all.forEach((path) => touched.add(path));
  }
  const groups = new Map<string, Asset[]>();
  for (const path of touched) {
    const asset = known.get(path);
    if (!asset) continue;
    const key = [asset.parent, asset.type, ...neighbours(plant, path)].join("|");
    groups.set(key, [...(groups.get(key) ?? []), asset]);
  }
  return [...groups.values()].flatMap((assets) => {
    const first = assets[0]!;
    const kind: Kind = isBuffer(first) ? "buffer" : assets.length >= DENSE_FROM ? "tiles" : "machine";
    const box = { id: first.path, kind, assets, outside: !assets.some((asset) => below(asset.path, under)), along: 0, x: 0, y: 0, ...sizeOf(kind, assets.length) };
    if (first.duty !== "quay-crane") return [box];
    return [{ ...box, id: `berth of ${first.path}`, kind: "berth" as const, ...sizeOf("berth", assets.length) }, box];
  });
}

export const isBuffer = (asset: Asset): boolean => asset.duty === null && asset.capacity !== null;

/** Alike are units that take from the same and give to the same. */
function neighbours(plant: Plant, path: string): string[] {
  const before = plant.flow.filter((link) => link.target === path || link.buffer === path).map((link) => link.buffer === path ? link.source : link.buffer ?? link.source);
  const behind = plant.flow.filter((link) => link.source === path || link.buffer === path).map((link) => link.buffer === path ? link.target : link.buffer ?? link.target);
  return [[...new Set(before)].sort().join(), [...new Set(behind)].sort().join()];
}

function sizeOf(kind: Kind, count: number): { width: number; height: number } {
  if (kind === "tiles") {
    const columns = Math.min(TILE.columns, count);
    const rows = Math.ceil(count / columns);
    return { width: columns * (TILE.width + TILE.gap) + TILE.gap, height: rows * (TILE.height + TILE.gap) + TILE.gap + HEAD };
  }
  const one = memberSize(kind);
  const columns = memberColumns(count);
  const rows = Math.ceil(count / columns);
  return { width: columns * (one.width + GAP.member) - GAP.member, height: rows * (one.height + GAP.member) - GAP.member };
}

export const memberSize = (kind: Kind) => (kind === "buffer" ? BUFFER : kind === "berth" ? BERTH : MACHINE);

/** Up to three alike units stand in one column, more in two. */
export const memberColumns = (count: number): number => (count > MOST_IN_COLUMN ? 2 : 1);

/** Longest path from a source, then each as near to what it feeds as that allows. Loops are cut. */
function layer(boxes: Box[], edges: Edge[]): void {
  const depth = new Map<Box, number>();
  const visit = (box: Box, way: Set<Box>): number => {
    const known = depth.get(box);
    if (known !== undefined) return known;
    way.add(box);
    const before = edges.filter((edge) => edge.to === box && !way.has(edge.from)).map((edge) => visit(edge.from, way) + 1);
    way.delete(box);
    depth.set(box, Math.max(0, ...before));
    return depth.get(box)!;
  };
  for (const box of boxes) box.along = visit(box, new Set());
  for (const box of [...boxes].sort((a, b) => b.along - a.along)) {
    const behind = edges.filter((edge) => edge.from === box && edge.to.along > box.along).map((edge) => edge.to.along);
    if (behind.length) box.along = Math.min(...behind) - 1;
  }
}

function ordered(boxes: Box[], edges: Edge[]): Box[][] {
  const layers: Box[][] = [];
  for (const box of boxes) (layers[box.along] ??= []).push(box);
  const all = layers.filter(Boolean);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const forward = sweep % 2 === 0;
    const rank = new Map(all.flatMap((layer) => layer.map((box, index) => [box, (index + 0.5) / layer.length] as const)));
    for (const layer of forward ? all : [...all].reverse()) {
      const weight = new Map(layer.map((box) => {
        const near = edges.flatMap((edge) => (edge.to === box ? [edge.from] : edge.from === box ? [edge.to] : []));
        return [box, near.length ? near.reduce((sum, other) => sum + rank.get(other)!, 0) / near.length : rank.get(box)!];
      }));
      layer.sort((a, b) => weight.get(a)! - weight.get(b)!);
      layer.forEach((box, index) => rank.set(box, (index + 0.5) / layer.length));
    }
  }
  return all;
}

/** Layers one behind the other; within a layer each box as near to its neighbours as the others allow. */
function placed(layers: Box[][], edges: Edge[], down: boolean): { width: number; height: number } {
  const thick = (box: Box) => (down ? box.height : box.width);
  const wide = (box: Box) => (down ? box.width : box.height);
  const across = new Map<Box, number>(); // centre
  const total = (layer: Box[]) => layer.reduce((sum, box) => sum + wide(box) + GAP.across, -GAP.across);
  const most = Math.max(0, ...layers.map(total));
  for (const layer of layers) {
    const wanted = layer.map((box) => {
      const near = edges.flatMap((edge) => (edge.to === box && across.has(edge.from) ? [across.get(edge.from)!] : []));
      return near.length ? near.reduce((sum, one) => sum + one, 0) / near.length : most / 2;
    });
    let edge = -Infinity;
    const centres = layer.map((box, index) => {
      const centre = Math.max(wanted[index]!, edge + wide(box) / 2);
      edge = centre + wide(box) / 2 + GAP.across;
      return centre;
    });
    const shift = wanted.reduce((sum, one, index) => sum + one - centres[index]!, 0) / layer.length;
    layer.forEach((box, index) => across.set(box, centres[index]! + shift));
  }
  const least = Math.min(0, ...[...across].map(([box, centre]) => centre - wide(box) / 2));
  let begin = 0;
  for (const layer of layers) {
    const thickest = Math.max(...layer.map(thick));
    for (const box of layer) {
      const along = begin + (thickest - thick(box)) / 2;
      const start = across.get(box)! - wide(box) / 2 - least;
      [box.x, box.y] = down ? [start, along] : [along, start];
    }
    begin += thickest + GAP.along;
  }
  const far = Math.max(0, ...[...across].map(([box, centre]) => centre + wide(box) / 2 - least));
  const length = Math.max(0, begin - GAP.along);
  return down ? { width: far, height: length } : { width: length, height: far };
}
