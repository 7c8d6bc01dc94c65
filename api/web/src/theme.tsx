// Light, dark, or as the system has it; remembered on this device.

import { useState } from "preact/hooks";

const NAME = "fabriquay.theme";
const THEMES = ["system", "light", "dark"] as const;
type Name = (typeof THEMES)[number];
const SIGNS: Record<Name, string> = { system: "◐", light: "☀", dark: "☾" };

function apply(name: Name): void {
  if (name === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = name;
}

const kept = THEMES.find((name) => name === localStorage.getItem(NAME)) ?? "system";
apply(kept);

export function Theme() {
  const [name, setName] = useState<Name>(kept);
  const next = () => {
    const chosen = THEMES[(THEMES.indexOf(name) + 1) % THEMES.length]!;
    localStorage.setItem(NAME, chosen);
    apply(chosen);
    setName(chosen);
  };
  return <button type="button" class="theme" aria-label={`Colours: ${name}`} title={`Colours: ${name}`} onClick={next}>{SIGNS[name]}</button>;
}
