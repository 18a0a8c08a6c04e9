import { ApiError } from "@bitsleuth/billing-api-client";
import { Button, ErrorNotice, Notice, SignIn, SkeletonCard, useBilling, useConfig } from "@bitsleuth/billing-react";
import { useEffect, useState, type ReactNode } from "react";
import { finishSignIn, signInUrl, SignInFailed, type Provider } from "../identity-provider.js";
import { navigate, useLocation } from "../router.js";
import { useTitle } from "../title.js";
import { useAdminText } from "./text.js";

/** Signs people in who work here; afterwards they are where they wanted to be. */
export function SignInPage() {
  const t = useAdminText();
  const { session } = useBilling();
  const { pathname, search } = useLocation();
  useTitle(t("signin"));
  return (
    <Card title={t("signin")}>
      {session.ended && (
        <Notice tone="warn" live title={t("signin.ended")}>
          {t("signin.ended.about")}
        </Notice>
      )}
      <p className="bsb-2">{t("signin.about")}</p>
      <Ways returnTo={pathname + search} />
    </Card>
  );
}

/** Somebody is signed in who has no role here. */
export function NoRole() {
  const t = useAdminText();
  const { session } = useBilling();
  const { pathname, search } = useLocation();
  return (
    <Card title={t("admin_only")}>
      <p className="bsb-2">{t("admin_only.about")}</p>
      <p className="bsb-small">
        {t("admin_only.as")} <span className="bsb-mono">{session.userId}</span>
      </p>
      <Ways returnTo={pathname + search} choose />
    </Card>
  );
}

/** Where the identity provider sends people back to. */
export function SignedIn() {
  const t = useAdminText();
  const { session } = useBilling();
  const config = useConfig();
  const { search } = useLocation();
  const [error, setError] = useState<unknown>(null);
  const provider = config.data?.identity_provider ?? null;
  useTitle(t("signin"));
  useEffect(() => {
    if (!provider) return;
    let shown = true;
    once(provider, search).then(
      ({ token, refresh, returnTo }) => {
        session.adopt(token, refresh);
        navigate(returnTo, { replace: true });
      },
      (failed: unknown) => {
        if (shown) setError(failed);
      },
    );
    return () => {
      shown = false;
    };
  }, [provider, search, session]);
  if (error !== null) return <Failed error={error} />;
  if (config.isError) return <ErrorNotice error={config.error} onRetry={() => void config.refetch()} />;
  if (config.data && !provider) return <SignInPage />;
  return <SkeletonCard heading lines={2} />;
}

const finished = new Map<string, ReturnType<typeof finishSignIn>>();

/** A code works once, however often the page is drawn. */
function once(provider: Provider, search: string): ReturnType<typeof finishSignIn> {
  let ending = finished.get(search);
  if (!ending) {
    ending = finishSignIn(provider, new URLSearchParams(search));
    finished.set(search, ending);
  }
  return ending;
}

function Failed({ error }: { error: unknown }) {
  const t = useAdminText();
  const away = error instanceof ApiError && error.status === 0;
  const code = error instanceof SignInFailed || error instanceof ApiError ? error.code : "unknown";
  const said = code === "access_denied" ? "declined" : code === "not_begun_here" ? "not_begun_here" : away ? "away" : "failed";
  return (
    <Card title={t("signin")}>
      <Notice tone="bad" live title={t(`signin.${said}`)}>
        {t("signin.code", { code })}
      </Notice>
      <Ways returnTo="/console" />
    </Card>
  );
}

/** The identity provider where there is one; else a key, for those whom the stack names as admins. */
function Ways({ returnTo, choose = false }: { returnTo: string; choose?: boolean }) {
  const t = useAdminText();
  const config = useConfig();
  const [leaving, setLeaving] = useState(false);
  if (config.isError) return <ErrorNotice error={config.error} onRetry={() => void config.refetch()} />;
  if (!config.data) return <SkeletonCard lines={1} />;
  const provider = config.data.identity_provider;
  if (!provider) return <SignIn onDone={() => undefined} />;
  const leave = async () => {
    setLeaving(true);
    location.assign(await signInUrl(provider, returnTo, { choose }));
  };
  return (
    <div>
      <Button variant="primary" busy={leaving} onClick={() => void leave()}>
        {t(choose ? "signin.other" : "signin.with", { provider: new URL(provider.issuer).host })}
      </Button>
    </div>
  );
}

function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="portal-narrow">
      <div className="bsb-card bsb-stack">
        <h1 className="bsb-h2">{title}</h1>
        {children}
      </div>
    </div>
  );
}
