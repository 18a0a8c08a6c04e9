import { Notice, useBilling, useUserId } from "@bitsleuth/billing-react";
import type { ComponentType } from "react";
import { useLocation } from "../router.js";
import { useTitle } from "../title.js";
import { AuditPage } from "./AuditPage.js";
import { EventsPage } from "./EventsPage.js";
import { InvoicesPage } from "./InvoicesPage.js";
import { PlansPage } from "./PlansPage.js";
import { RevenuePage } from "./RevenuePage.js";
import { RolloutPage } from "./RolloutPage.js";
import { useAdminText } from "./text.js";
import { UsersPage } from "./UsersPage.js";

const SECTIONS = {
  plans: PlansPage,
  revenue: RevenuePage,
  users: UsersPage,
  invoices: InvoicesPage,
  events: EventsPage,
  rollout: RolloutPage,
  audit: AuditPage,
} as const satisfies Record<string, ComponentType>;
type Section = keyof typeof SECTIONS;

/** The owner's pages. Only the service decides who is an admin; this shell merely does not invite others. */
export default function Admin({ section }: { section: string }) {
  const t = useAdminText();
  const { session } = useBilling();
  const current: Section = section in SECTIONS ? (section as Section) : "plans";
  const { pathname } = useLocation();
  useUserId();
  useTitle(t(current));
  if (!session.admin) {
    return (
      <div className="portal-narrow">
        <Notice title={t("admin_only")}>{t("admin_only.about")}</Notice>
      </div>
    );
  }
  const Page = SECTIONS[current];
  return (
    <div className="admin">
      <nav className="portal-nav admin-nav" aria-label={t("sections")}>
        {(Object.keys(SECTIONS) as Section[]).map((name) => (
          <a
            key={name}
            ref={name === current ? intoView : undefined}
            href={`/console/${name}`}
            aria-current={name === current ? "page" : undefined}
          >
            {t(name)}
          </a>
        ))}
      </nav>
      <Page key={pathname} />
    </div>
  );
}

/** On small screens the sections scroll sideways: the current one is not left outside. */
function intoView(link: HTMLAnchorElement | null) {
  const list = link?.parentElement;
  if (list && link) list.scrollLeft = link.offsetLeft - (list.clientWidth - link.offsetWidth) / 2;
}
