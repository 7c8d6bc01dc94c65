// Numbers, ages and instants as an engineer reads them from five metres away.

export function number(value: number | string | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") return value;
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  const digits = size >= 1_000 || Number.isInteger(value) ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 3;
  return value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: Number.isInteger(value) ? 0 : digits });
}

export function span(seconds: number): string {
  if (seconds < 0) return "0 s";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  const minutes = Math.round(seconds / 60);
  if (seconds < 172_800) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
  return `${Math.round(seconds / 86_400)} d`;
}

export const since = (instant: string | null | undefined, now: number): string =>
  instant ? span((now - Date.parse(instant)) / 1_000) : "–";

export const clock = (instant: string | null | undefined): string =>
  instant ? new Date(instant).toLocaleTimeString("en-GB") : "–";

/** A unit as it is written on a machine, from its name in the plant model. */
export function unit(text: string): string {
  const written: Record<string, string> = {
    degC: "°C", celsius: "°C", percent: "%", "mm/s": "mm/s", "m/s": "m/s", rpm: "rpm", kilowatt: "kW", ampere: "A",
  };
  return written[text] ?? text;
}
