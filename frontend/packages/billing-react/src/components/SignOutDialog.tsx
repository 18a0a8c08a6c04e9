"use client";

import { useState } from "react";
import { useAccountKey } from "../key.js";
import { useBilling } from "../provider.js";
import { useStatus } from "../queries.js";
import { forgetBillingKey, mayForget } from "../signers/index.js";
import { useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { Dialog } from "../ui/Dialog.js";
import { Notice } from "../ui/Notice.js";
import { SaveKey } from "./SaveKey.js";

/** Two things that look alike: leaving, with the key at hand for coming back, and leaving nothing behind here. */
export function SignOutDialog({ onClose }: { onClose: () => void }) {
  const t = useT();
  const { session } = useBilling();
  const { key } = useAccountKey(useStatus().data);
  const [forgets, setForgets] = useState(false);
  function leave() {
    if (forgets && key && !forgetBillingKey(key.secret)) return;
    session.signOut();
    onClose();
  }
  const refused = forgets && key !== null && !mayForget(key);
  return (
    <Dialog onClose={onClose} title={t("signout")}>
      {key && (
        <fieldset className="bsb-stack bsb:gap-2">
          <legend className="bsb-hidden">{t("signout")}</legend>
          {[false, true].map((choice) => (
            <label key={String(choice)} className="bsb-choice">
              <input type="radio" name="bsb-forget" checked={forgets === choice} onChange={() => setForgets(choice)} />
              <span className="bsb:grow">
                <span className="bsb:font-medium">{t(choice ? "signout.forget" : "signout.keep")}</span>
                <span className="bsb-2 bsb-small bsb:block">{t(choice ? "signout.forget_about" : "signout.keep_about")}</span>
              </span>
            </label>
          ))}
        </fieldset>
      )}
      {refused && (
        <>
          <Notice tone="warn" live title={t("signout.unsaved")}>
            {t("signout.unsaved_about")}
          </Notice>
          <SaveKey secret={key.secret} />
        </>
      )}
      <div className="bsb-dialog-actions">
        <Button onClick={onClose}>{t("cancel")}</Button>
        <Button variant={forgets ? "danger" : "primary"} disabled={refused} onClick={leave}>
          {t(forgets ? "signout.forget" : "signout")}
        </Button>
      </div>
    </Dialog>
  );
}
