// Who is signed in, and the dialogue that asks: at the header's button, or when the api says that an action needs it.

import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Got, Schemas } from "./model";

export type Session = Got<"/v1/session">;

export const session = signal<Session | null>(null);
const asking = signal<{ why: string; settle: (done: boolean) => void } | null>(null);
let pending: Promise<boolean> | null = null;

/** Ask for a log-in, or for a password of one's own; true once there is one. Who asks meanwhile gets the same answer. */
export function askToSignIn(why = ""): Promise<boolean> {
  pending ??= new Promise<boolean>((settle) => (asking.value = { why, settle })).finally(() => {
    asking.value = null;
    pending = null;
  });
  return pending;
}

/** Who is signed in, by the api's word; where nobody may even look without, it asks. */
export async function loadSession(): Promise<void> {
  try {
    const answer = await fetch("v1/session", { headers: { accept: "application/json" } });
    if (!answer.ok) return;
    const found: Session = await answer.json();
    if (JSON.stringify(found) !== JSON.stringify(session.value)) session.value = found;
    if (!found.grants.length && !found.name) void askToSignIn();
  } catch {
    // the api is away; the header says so, and the feed asks again when it is back
  }
}

async function send(method: string, address: string, body?: object): Promise<Session | null> {
  const answer = await fetch(address, { method, headers: { accept: "application/json", "content-type": "application/json" }, body: body && JSON.stringify(body) });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const problem: Partial<Schemas["Problem"]> = await answer.json().catch(() => ({}));
  throw new Error([problem.detail ?? `${answer.status} ${answer.statusText}`, problem.do].filter(Boolean).join(": "));
}

/** The header's corner: who you are, and the way in or out. */
export function Account() {
  const who = session.value;
  if (!who) return null;
  if (!who.name) return <button type="button" class="account" onClick={() => void askToSignIn()}>Sign in</button>;
  const leave = async () => {
    await send("DELETE", "v1/session").catch(() => null);
    await loadSession();
  };
  return (
    <span class="account" title={who.grants.map((grant) => grant.role + (grant.under && ` of ${grant.under}`)).join(", ") || "no role"}>
      {who.name} {who.how === "session" && <button type="button" onClick={leave}>Sign out</button>}
    </span>
  );
}

export function SignIn() {
  return asking.value && <Dialogue why={asking.value.why} settle={asking.value.settle} />;
}

function Dialogue({ why, settle }: { why: string; settle: (done: boolean) => void }) {
  const dialogue = useRef<HTMLDialogElement>(null);
  const [name, setName] = useState(session.value?.name ?? "");
  const [password, setPassword] = useState("");
  const [chosen, setChosen] = useState("");
  const [choosing, choose] = useState(session.value?.must_choose_password ?? false);
  const [problem, setProblem] = useState("");
  useEffect(() => dialogue.current?.showModal(), []);
  const submit = async (event: Event) => {
    event.preventDefault();
    setProblem("");
    try {
      if (!choosing) {
        const found = await send("POST", "v1/session", { name, password } satisfies Schemas["Credentials"]);
        if (found?.must_choose_password) return choose(true);
      } else {
        await send("PUT", "v1/session/password", { old: password, new: chosen } satisfies Schemas["PasswordChange"]);
      }
      await loadSession();
      settle(true);
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  const oidc = session.value?.oidc;
  return (
    <dialog ref={dialogue} class="sign-in" aria-labelledby="sign-in-title" onCancel={() => settle(false)}>
      <form onSubmit={submit}>
        <h2 id="sign-in-title">{choosing ? "Choose your own password" : "Sign in"}</h2>
        {why && <p>{why}</p>}
        {!choosing && <label>Name <input name="username" autocomplete="username" required maxLength={100} value={name} onInput={(event) => setName(event.currentTarget.value)} /></label>}
        <label>{choosing ? "The password that you were given" : "Password"} <input name="password" type="password" autocomplete="current-password" required value={password} onInput={(event) => setPassword(event.currentTarget.value)} /></label>
        {choosing && <label>Your own, 10 characters or more <input name="new-password" type="password" autocomplete="new-password" required minLength={10} value={chosen} onInput={(event) => setChosen(event.currentTarget.value)} /></label>}
        {problem && <p class="problem" role="alert">{problem}</p>}
        <p>
          <button type="submit">{choosing ? "Set password" : "Sign in"}</button> <button type="button" onClick={() => settle(false)}>Cancel</button>
        </p>
        {!choosing && oidc && <p><a class="sso" href={oidc.address}>Sign in with {oidc.title}</a></p>}
      </form>
    </dialog>
  );
}
