// The page: a header that says whether what you see is live, and the plant or one asset below it.

import { signal } from "@preact/signals";
import { render } from "preact";
import { AlarmCount, AlarmsView } from "./alarms";
import { AssetView } from "./asset";
import { link, now, plant, start, type Link } from "./live";
import { Overview } from "./overview";
import { Account, SignIn } from "./session";
import "./style.css";

const place = signal(decodeURIComponent(location.hash.replace(/^#\/?/, "")));
addEventListener("hashchange", () => {
  place.value = decodeURIComponent(location.hash.replace(/^#\/?/, ""));
  scrollTo(0, 0);
});

const LINK_WORDS: Record<Link, string> = {
  connecting: "connecting …",
  live: "live",
  silent: "connected, but the twin is silent: values are getting old",
  lost: "connection lost: what you see is old; trying again",
};

const ALARMS = "alarms";

function App() {
  const asset = plant.value?.assets.find((candidate) => candidate.path === place.value);
  return (
    <>
      <header class="top">
        <a class="brand" href="#/">Fabriquay</a>
        <span>{plant.value?.enterprise}</span>
        <AlarmCount />
        <span class={`link ${link.value}`} role="status"><i class="dot" />{LINK_WORDS[link.value]}</span>
        <Account />
        <time>{new Date(now.value).toLocaleTimeString("en-GB")}</time>
      </header>
      <SignIn />
      {place.value === ALARMS && !asset && <AlarmsView />}
      {place.value && place.value !== ALARMS && plant.value && !asset && <main class="empty">There is no asset “{place.value}”. <a href="#/">Back to the plant</a></main>}
      {asset?.level === "unit" ? <AssetView key={asset.path} asset={asset} /> : (!place.value || asset || (!plant.value && place.value !== ALARMS)) && <Overview under={asset?.path} />}
    </>
  );
}

start();
render(<App />, document.getElementById("app")!);
