// The planner's view of a site, area, line or unit: forecast with its past coverage, what-if.

import { Crumbs } from "./crumbs";
import { Forecast } from "./forecast";
import { failure, plant } from "./live";
import { href } from "./place";
import { WhatIf } from "./whatif";

export function PlanView({ path }: { path: string }) {
  const known = plant.value;
  if (!known) return <main class="empty">{failure.value || "Loading the plant …"}</main>;
  const sites = known.assets.filter((asset) => asset.level === "site");
  const shown = known.assets.find((asset) => asset.path === path) ?? (path ? undefined : sites[0]);
  if (!shown) return <main class="empty">There is no asset “{path}”. <a href={href("plan")}>Back to the plan</a></main>;
  const below = known.assets.filter((asset) => asset.parent === shown.path && (asset.level !== "unit" || asset.duty !== null));
  const site = shown.path.split("/")[0]!;
  return (
    <main class="plan">
      <div class="row">
        <Crumbs path={shown.path} before="plan/" />
        <nav class="spans" aria-label="sites">{sites.map((one) => <a key={one.path} class="tab" aria-current={one.path === site ? "page" : undefined} href={href(`plan/${one.path}`)}>{one.title}</a>)}</nav>
      </div>
      <h2>{shown.title} <a class="more" href={href(shown.path)}>live ›</a></h2>
      {below.length > 0 && <p class="deeper">{below.map((one) => <a key={one.path} href={href(`plan/${one.path}`)}>{one.title}</a>)}</p>}
      <Forecast key={shown.path} asset={shown.path} full />
      <WhatIf site={site} />
    </main>
  );
}
