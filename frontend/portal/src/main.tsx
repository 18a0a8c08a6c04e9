import { createSession } from "@bitsleuth/billing-react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App.js";
import { loadTexts, preferredLanguage } from "./language.js";
import { followLinks, navigate } from "./router.js";
import { paintBar } from "./theme.js";
import "./styles.css";

/**
 * `#token=…` signs a developer in, for the links that `make run` prints. On loopback only: elsewhere such a link
 * could sign a visitor in as somebody else.
 */
function adoptTokenFromLink(session: ReturnType<typeof createSession>): void {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token || !["127.0.0.1", "localhost", "[::1]"].includes(location.hostname)) return;
  session.adopt(token);
  navigate(location.pathname + location.search, { replace: true });
}

const root = document.getElementById("root");
if (!root) throw new Error("The page has no #root.");
const session = createSession({
  renewAdopted: async (refresh) => (await import("./identity-provider.js")).renewSignIn(refresh),
  // Where that cannot be found out, the sign-in here is over all the same.
  onLeft: (token) => void import("./identity-provider.js").then(({ endSignIn }) => endSignIn(token)).catch(() => undefined),
});
adoptTokenFromLink(session);
document.addEventListener("click", followLinks);
paintBar();
const texts = await loadTexts(preferredLanguage());
createRoot(root).render(
  <StrictMode>
    <App session={session} initialTexts={texts} />
  </StrictMode>,
);
