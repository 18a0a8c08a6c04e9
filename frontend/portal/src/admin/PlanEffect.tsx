import { unwrap, type Schemas } from "@bitsleuth/billing-api-client";
import { Button, ErrorNotice, Notice, useBilling, useFeatureTexts, usePlans, useQueries } from "@bitsleuth/billing-react";
import { useMutation } from "@tanstack/react-query";
import { useAdminText } from "./text.js";

/** Whom the new version touches, asked of the service before it is put on sale. */
export function PlanEffect({ planId, body }: { planId: string; body: Schemas["UpdatePlan"] }) {
  const t = useAdminText();
  const { client } = useBilling();
  const mutationFn = () =>
    unwrap(client.POST("/admin/plans/{plan_id}/preview", { params: { path: { plan_id: planId } }, body }));
  const preview = useMutation({ mutationFn }, useQueries());
  return (
    <div className="bsb-stack">
      <div>
        <Button busy={preview.isPending} onClick={() => preview.mutate()}>
          {t("effect.show")}
        </Button>
      </div>
      {preview.isError && <ErrorNotice error={preview.error} />}
      {preview.data && <Effect effect={preview.data} />}
    </div>
  );
}

function Effect({ effect }: { effect: Schemas["PlanEffect"] }) {
  const t = useAdminText();
  const texts = useFeatureTexts(usePlans().data?.features);
  const list = (keys: readonly string[]) => keys.map((key) => texts.name(key)).join(", ");
  return (
    <Notice tone={effect.warnings.length > 0 ? "warn" : "plain"} title={t("effect.title")} live>
      <ul className="bsb-stack bsb:gap-1">
        <li>{t("effect.keep", { count: effect.subscribers + effect.subscribers_older })}</li>
        {effect.features_gained.length > 0 && <li>{t("effect.gained", { features: list(effect.features_gained) })}</li>}
        {effect.features_lost.length > 0 && <li>{t("effect.lost", { features: list(effect.features_lost) })}</li>}
        {effect.features_changed.length > 0 && <li>{t("effect.changed", { features: list(effect.features_changed) })}</li>}
        {effect.warnings.map((warning) => (
          <li key={warning}>{warning}</li>
        ))}
      </ul>
    </Notice>
  );
}
