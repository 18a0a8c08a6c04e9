"use client";

import { unwrap } from "@bitsleuth/billing-api-client";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Said } from "../components/Said.js";
import { download } from "../csv.js";
import { date } from "../format.js";
import { useLanguage, type Language } from "../own-texts.js";
import { useBilling, useUserId } from "../provider.js";
import { useQueries } from "../queries.js";
import { AreYouSure } from "../ui/AreYouSure.js";
import { Button, ButtonLink } from "../ui/Button.js";
import { CopyLine } from "../ui/CopyButton.js";
import { Icon } from "../ui/Icon.js";
import { ErrorNotice } from "../ui/Notice.js";
import { Skeleton } from "../ui/Skeleton.js";
import { useCalendarText } from "./calendar-texts.js";

/** What ends and renews, in a calendar: as a file, or as a feed that follows it. */
export default function CalendarReminder() {
  const t = useCalendarText();
  // The entries of the feed are in the language of the page.
  const language = useLanguage();
  const { locale } = useBilling();
  const { calendar, make, revoke, save } = useCalendar(language);
  const [asking, setAsking] = useState<"renew" | "revoke" | null>(null);
  const [said, setSaid] = useState<string | null>(null);
  const feed = calendar.data?.feed;
  const made = make.data;
  const failed = [calendar, make, revoke, save].find(({ error }) => error !== null)?.error;
  const begin = () =>
    make.mutate(undefined, {
      onSuccess: () => {
        setAsking(null);
        setSaid(t(feed ? "renewed" : "made"));
      },
    });
  const end = () =>
    revoke.mutate(undefined, {
      onSuccess: () => {
        make.reset();
        setAsking(null);
        setSaid(t("revoked"));
      },
    });
  return (
    <div className="bsb-stack bsb:gap-3">
      <h3 className="bsb:font-semibold">{t("title")}</h3>
      <p className="bsb-2">{t("about")}</p>
      {said && <Said text={said} onGone={() => setSaid(null)} />}
      {failed != null && <ErrorNotice error={failed} onRetry={calendar.isError ? () => void calendar.refetch() : undefined} />}
      {/* Whether there is one is not known yet: its place is kept. */}
      {!calendar.data && !calendar.isError && <Skeleton height="2.5rem" />}
      {feed && <p>{t("on", { date: date(feed.made_at, locale) })}</p>}
      {feed && made && <Address address={made.address} />}
      {feed && !made && <p className="bsb-2 bsb-small">{t("hidden")}</p>}
      {asking && (
        <AreYouSure
          keep={t("keep")}
          onKeep={() => setAsking(null)}
          go={t(asking)}
          onGo={asking === "renew" ? begin : end}
          busy={make.isPending || revoke.isPending}
        >
          {t(`${asking}_sure`)}
        </AreYouSure>
      )}
      {calendar.data && !asking && (
        <div className="bsb-row">
          <Button size="small" busy={save.isPending} onClick={() => save.mutate()}>
            <Icon name="download" size={16} />
            {t("save")}
          </Button>
          {feed ? (
            <>
              <Button size="small" onClick={() => setAsking("renew")}>
                {t("renew")}
              </Button>
              <Button size="small" variant="ghost" onClick={() => setAsking("revoke")}>
                {t("revoke")}
              </Button>
            </>
          ) : (
            <Button size="small" busy={make.isPending} onClick={begin}>
              {t("make")}
            </Button>
          )}
        </div>
      )}
    </div>
  );
}

/** Shown once: the service keeps only its hash. */
function Address({ address }: { address: string }) {
  const t = useCalendarText();
  return (
    <div className="bsb-stack bsb:gap-2">
      <p className="bsb-label">{t("address")}</p>
      <CopyLine value={address} what={t("address")} />
      <p className="bsb-2 bsb-small">{t("once")}</p>
      <div className="bsb-row">
        <ButtonLink size="small" href={address.replace(/^https?:/, "webcal:")}>
          {t("open")}
        </ButtonLink>
      </div>
    </div>
  );
}

function useCalendar(language: Language) {
  const { client } = useBilling();
  const userId = useUserId();
  const queries = useQueries();
  const onSuccess = () => queries.invalidateQueries({ queryKey: ["calendar"] });
  const calendar = useQuery(
    { queryKey: ["calendar", userId], queryFn: () => unwrap(client.GET("/billing/calendar")), enabled: userId !== null },
    queries,
  );
  const make = useMutation(
    { mutationFn: () => unwrap(client.POST("/billing/calendar/feed", { body: { language } })), onSuccess },
    queries,
  );
  const revoke = useMutation({ mutationFn: () => unwrap(client.DELETE("/billing/calendar/feed")), onSuccess }, queries);
  const save = useMutation(
    {
      mutationFn: () => unwrap(client.GET("/billing/calendar/file", { params: { query: { language } } })),
      onSuccess: ({ name, content }) => download(name, content, "text/calendar"),
    },
    queries,
  );
  return { calendar, make, revoke, save };
}
