// The page: a header that says whether what you see is live, and below it one of the views.

import { render } from "preact";
import { AlarmCount, AlarmsView } from "./alarms";
import { AssetView } from "./asset";
import { GatewaysView } from "./gateways";
import { gateways, link, now, plant, start, type Link } from "./live";
import { Overview } from "./overview";
import { at, href, place } from "./place";
import { PlanView } from "./plan";
import { PlaybackBanner, PlaybackBar } from "./playback";
import { Account, SignIn } from "./session";
import { Theme } from "./theme";
import "./style.css";

const LINK_WORDS: Record<Link, string> = {
  connecting: "connecting …",
  live: "live",
  silent: "connected, but the twin is silent: values are getting old",
  lost: "connection lost: what you see is old; trying again",
};

function App() {
  return (
    <>
      <Header />
      <SignIn />
      <PlaybackBanner />
      <Shown />
      <PlaybackBar />
    </>
  );
}

function Header() {
  const { view } = place.value;
  const troubled = Object.values(gateways.value).filter((gateway) => gateway.status !== "online" || gateway.problems?.length).length;
  const here = (name: string) => (view === name ? "page" : undefined);
  return (
    <header class="top">
      <a class="brand" href={href("")}>Fabriquay</a>
      <nav aria-label="views">
        <a href={href("")} aria-current={here("plant")}>Plant</a>
        <a href={href("plan")} aria-current={here("plan")}>Plan</a>
        <a href={href("gateways")} aria-current={here("gateways")}>Gateways{troubled > 0 && <b class="badge"> ▲ {troubled}</b>}</a>
      </nav>
      <AlarmCount />
      <span class={`link ${at.value === null ? link.value : "past"}`} role="status"><i class="dot" />{at.value === null ? LINK_WORDS[link.value] : "playback"}</span>
      <Theme />
      <Account />
      <time>{new Date(now.value).toLocaleTimeString("en-GB")}</time>
    </header>
  );
}

function Shown() {
  const { view, path } = place.value;
  if (view === "alarms") return <AlarmsView />;
  if (view === "gateways") return <GatewaysView />;
  if (view === "plan") return <PlanView path={path} />;
  const asset = plant.value?.assets.find((candidate) => candidate.path === path);
  if (path && plant.value && !asset) return <main class="empty">There is no asset “{path}”. <a href={href("")}>Back to the plant</a></main>;
  return asset?.level === "unit" ? <AssetView key={asset.path} asset={asset} /> : <Overview under={asset?.path} />;
}

start();
render(<App />, document.getElementById("app")!);
