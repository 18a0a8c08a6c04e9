import { useSyncExternalStore } from "react";

const CHANGED = "portal:navigated";

/** Where a page's own content lies: what is read out and shown from its top after a navigation. */
export const MAIN = "main";

/**
 * Goes to a path of this portal without a page load. A new entry of the history begins like a page that was loaded;
 * going back leaves the place on the page to the browser.
 */
export function navigate(to: string, { replace = false } = {}): void {
  // An open dialog has an entry of its own: it goes on having it, and a page that is gone to from there takes its place.
  const state = history.state as { bsbDialog?: boolean } | null;
  if (replace) history.replaceState(state, "", to);
  else history[state?.bsbDialog ? "replaceState" : "pushState"](null, "", to);
  dispatchEvent(new Event(CHANGED));
  if (replace) return;
  document.getElementById(MAIN)?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function subscribe(listener: () => void): () => void {
  addEventListener("popstate", listener);
  addEventListener(CHANGED, listener);
  return () => {
    removeEventListener("popstate", listener);
    removeEventListener(CHANGED, listener);
  };
}

/** The current path and query; re-renders on every navigation. */
export function useLocation(): URL {
  return new URL(useSyncExternalStore(subscribe, () => location.href));
}

export function useQueryParam(name: string): string | null {
  return useLocation().searchParams.get(name);
}

export function setQueryParam(name: string, value: string): void {
  const url = new URL(location.href);
  url.searchParams.set(name, value);
  navigate(url.pathname + url.search, { replace: true });
}

/** The pages; every other path of this origin belongs to the API or to a provider. */
const OURS = ["/pricing", "/redeem", "/account", "/checkout/return", "/demo", "/console"];

export const isOurs = (path: string) => path === "/" || OURS.some((own) => path === own || path.startsWith(`${own}/`));

/** Plain links work as navigation, also those inside components that know of no router. */
export function followLinks(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || event.defaultPrevented || link.target || link.hasAttribute("download")) return;
  if (link.origin !== location.origin || !isOurs(link.pathname) || link.hash) return;
  event.preventDefault();
  navigate(link.pathname + link.search);
}
