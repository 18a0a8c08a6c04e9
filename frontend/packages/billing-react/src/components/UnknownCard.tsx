"use client";

import { useState } from "react";
import { useEntitlements } from "../provider.js";
import { useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { Icon } from "../ui/Icon.js";

/** Nobody could say whether the feature is open. It is asked again by itself; whoever does not want to wait asks now. */
export default function UnknownCard({ onRetry }: { onRetry?: () => Promise<unknown> }) {
  const t = useT();
  const { error, refresh } = useEntitlements();
  const [busy, setBusy] = useState(false);
  async function ask() {
    setBusy(true);
    await (onRetry ?? refresh)();
    setBusy(false);
  }
  const about = error?.code === "host_refused" || error?.code === "not_authenticated" ? error.code : "about";
  return (
    <section className="bsb bsb-card bsb-stack bsb-locked">
      <span className="bsb-locked-icon">
        <Icon name="clock" size={22} />
      </span>
      <div className="bsb-stack bsb:max-w-md bsb:gap-2" role="status">
        <h2 className="bsb-h2">{t("unknown.title")}</h2>
        <p className="bsb-2">{t(`unknown.${about}`)}</p>
      </div>
      <Button variant="primary" busy={busy} onClick={() => void ask()}>
        {t("retry")}
      </Button>
    </section>
  );
}
