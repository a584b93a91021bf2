// The page's own Jupyter server, with our extension: a way to a run past its kernel, which hears nothing while a cell blocks it.

import type { Byway } from "./live";

/** How long the server may take to answer: one that hangs is as good as away. */
const LIMIT_MS = 10_000;
const KINDS = { cancel: "cancel", retry_failed: "retry" };

interface Answer {
  readonly ok: boolean;
  readonly message: string;
}

/** The server of a page of JupyterLab or Notebook 7; null in any other page. */
export function jupyterServer(page: Document = document): Byway | null {
  const config = configOf(page);
  const url = config && addressOf(config.baseUrl, page);
  if (!url) return null;
  const ask = async (path: string, init: RequestInit = {}): Promise<Answer> => {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), LIMIT_MS);
    try {
      const answer = await fetch(url + path, {
        cache: "no-store",
        credentials: "same-origin",
        signal: limit.signal,
        ...init,
        headers: headersOf(config.token, page.cookie),
      });
      const said = init.method === "POST" ? ((await answer.json()) as { readonly message?: unknown }) : {};
      return { ok: answer.ok, message: String(said.message ?? answer.status) };
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    sees: async (run) => {
      try {
        return (await ask(encodeURIComponent(run))).ok;
      } catch {
        return false; // the server is away: so is this way
      }
    },
    ask: async (run, action) => {
      try {
        const body = JSON.stringify({ kind: KINDS[action] });
        return await ask(`${encodeURIComponent(run)}/requests`, { method: "POST", body });
      } catch {
        return { ok: false, message: "The Jupyter server does not answer." };
      }
    },
  };
}

function configOf(page: Document): { readonly baseUrl?: unknown; readonly token?: unknown } | null {
  try {
    return JSON.parse(page.getElementById("jupyter-config-data")?.textContent ?? "null");
  } catch {
    return null;
  }
}

/** Where runs are; nothing but the page's own server is told its token. */
function addressOf(baseUrl: unknown, page: Document): string | null {
  const here = page.location;
  try {
    const url = new URL(`${String(baseUrl ?? "/").replace(/\/?$/, "/")}notebook-flows/api/runs/`, here.href);
    return url.origin === here.origin ? url.href : null;
  } catch {
    return null;
  }
}

function headersOf(token: unknown, cookies: string): Record<string, string> {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (typeof token === "string" && token) headers.Authorization = `token ${token}`;
  const xsrf = /(?:^|; ?)_xsrf=([^;]*)/.exec(cookies)?.[1];
  if (xsrf) headers["X-XSRFToken"] = xsrf;
  return headers;
}
