// Where in the plant: enterprise › site › area › line › asset, each a link.

import { plant } from "./live";
import { href } from "./place";

export function Crumbs({ path, before = "" }: { path: string; before?: string }) {
  const known = plant.value;
  if (!known) return null;
  const parts = path.split("/").filter(Boolean);
  const titleOf = (way: string) => known.assets.find((asset) => asset.path === way)?.title ?? way;
  const ways = ["", ...parts.map((_, index) => parts.slice(0, index + 1).join("/"))];
  return (
    <nav class="crumbs" aria-label="where">
      {ways.map((way, index) => {
        const title = way ? titleOf(way) : known.title || known.enterprise;
        const here = index === ways.length - 1;
        return <a key={way} href={href(before + way)} aria-current={here ? "page" : undefined}>{title}</a>;
      })}
    </nav>
  );
}
