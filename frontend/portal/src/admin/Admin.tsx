import { ErrorNotice, SkeletonCard, useUserId } from "@bitsleuth/billing-react";
import { lazy, Suspense, type ComponentType } from "react";
import { RETURN_PATH } from "../identity-provider.js";
import { useLocation } from "../router.js";
import { useCaller } from "../staff.js";
import { useTitle } from "../title.js";
import { AuditPage } from "./AuditPage.js";
import { EndpointsPage } from "./EndpointsPage.js";
import { EventsPage } from "./EventsPage.js";
import { InvoicesPage } from "./InvoicesPage.js";
import { CallerContext, type AdminCall } from "./may.js";
import { PlansPage } from "./PlansPage.js";
import { RevenuePage } from "./RevenuePage.js";
import { RolloutPage } from "./RolloutPage.js";
import { NoRole, SignedIn, SignInPage } from "./SignInPage.js";
import { useAdminText } from "./text.js";
import { CustomerSearch, UsersPage } from "./UsersPage.js";

const VouchersPage = lazy(() => import("./vouchers/VouchersPage.js"));

/** Each section with the call that it begins with: who may not make it is not led there. */
const SECTIONS = {
  plans: [PlansPage, "GET /admin/plans"],
  revenue: [RevenuePage, "GET /admin/revenue"],
  users: [UsersPage, "GET /admin/users"],
  invoices: [InvoicesPage, "GET /admin/invoices"],
  vouchers: [VouchersPage, "GET /admin/vouchers"],
  events: [EventsPage, "GET /admin/events"],
  endpoints: [EndpointsPage, "GET /admin/endpoints"],
  rollout: [RolloutPage, "GET /admin/flags"],
  audit: [AuditPage, "GET /admin/audit"],
} as const satisfies Record<string, readonly [ComponentType, AdminCall]>;
type Section = keyof typeof SECTIONS;

/** The owner's pages. Only the service decides who is an admin; this shell merely does not invite others. */
export default function Admin({ section }: { section: string }) {
  const userId = useUserId();
  const caller = useCaller();
  const { pathname } = useLocation();
  if (pathname === RETURN_PATH) return <SignedIn />;
  if (userId === null) return <SignInPage />;
  if (caller.isError) return <ErrorNotice error={caller.error} onRetry={() => void caller.refetch()} />;
  if (!caller.data) return <SkeletonCard heading lines={6} />;
  if (!caller.data.role) return <NoRole />;
  return (
    <CallerContext value={caller.data}>
      <Sections section={section} may={caller.data.may} />
    </CallerContext>
  );
}

function Sections({ section, may }: { section: string; may: readonly string[] }) {
  const t = useAdminText();
  const { pathname, search } = useLocation();
  const open = (Object.keys(SECTIONS) as Section[]).filter((name) => may.includes(SECTIONS[name][1]));
  const current = open.find((name) => name === section) ?? open[0] ?? "users";
  useTitle(t(current));
  const [Page] = SECTIONS[current];
  // The list of customers has the same search in the page.
  const listed = current === "users" && !new URLSearchParams(search).get("user");
  return (
    <div className="admin">
      <div className="admin-side">
        {may.includes("GET /admin/users") && !listed && <CustomerSearch key={search} />}
        <nav className="portal-nav admin-nav" aria-label={t("sections")}>
          {open.map((name) => (
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
      </div>
      <Suspense fallback={<SkeletonCard heading lines={6} />}>
        <Page key={pathname} />
      </Suspense>
    </div>
  );
}

/** On small screens the sections scroll sideways: the current one is not left outside. */
function intoView(link: HTMLAnchorElement | null) {
  const list = link?.parentElement;
  if (list && link) list.scrollLeft = link.offsetLeft - (list.clientWidth - link.offsetWidth) / 2;
}
