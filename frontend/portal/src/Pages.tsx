import { BillingPage, ButtonLink, CheckoutReturn, ErrorNotice, PricingTable, SkeletonCard, Vouchers } from "@bitsleuth/billing-react";
import { Component, lazy, Suspense, type ReactNode } from "react";
import { Questions } from "./Questions.js";
import { setQueryParam, useLocation, useQueryParam } from "./router.js";
import { usePortalText } from "./text.js";
import { useTitle } from "./title.js";

const Admin = lazy(() => import("./admin/Admin.js"));
const DemoPage = lazy(() => import("./pages/DemoPage.js"));

export function Pages() {
  const { pathname } = useLocation();
  return (
    <Boundary key={pathname}>
      <Suspense fallback={<SkeletonCard heading lines={6} />}>{page(pathname)}</Suspense>
    </Boundary>
  );
}

function page(pathname: string): ReactNode {
  if (pathname === "/" || pathname === "/pricing") return <PricingPage />;
  if (pathname === "/redeem") return <RedeemPage />;
  if (pathname === "/demo") return <DemoPage />;
  if (pathname === "/checkout/return") return <ReturnPage />;
  if (pathname === "/account" || pathname === "/account/billing") return <AccountPage />;
  if (pathname.startsWith("/console")) return <Admin section={pathname.split("/")[2] ?? ""} />;
  return <NotFound />;
}

function PricingPage() {
  const t = usePortalText();
  useTitle(t("pricing"));
  const interval = useQueryParam("interval") === "year" ? "year" : "month";
  return (
    <div className="bsb-stack bsb:gap-10">
      <div className="bsb-stack bsb:mx-auto bsb:max-w-2xl bsb:gap-3 bsb:text-center">
        <h1 className="bsb-h1">{t("pricing.title")}</h1>
        <p className="bsb-2 bsb:text-lg bsb:text-balance">{t("pricing.about")}</p>
      </div>
      <PricingTable interval={interval} onIntervalChange={(next) => setQueryParam("interval", next)} />
      <p className="bsb-2 bsb:text-center">
        <a className="bsb-link" href="/redeem">
          {t("redeem.link")}
        </a>
      </p>
      <Questions />
    </div>
  );
}

function RedeemPage() {
  const t = usePortalText();
  useTitle(t("redeem"));
  return (
    <div className="bsb-stack portal-narrow bsb:gap-6">
      <h1 className="bsb-h1">{t("redeem")}</h1>
      <Vouchers />
    </div>
  );
}

function ReturnPage() {
  const t = usePortalText();
  useTitle(t("return"));
  const id = useQueryParam("checkout_id") ?? "";
  return (
    <div className="portal-narrow">
      <CheckoutReturn key={id} checkoutId={id} continueUrl="/demo" />
    </div>
  );
}

function AccountPage() {
  const t = usePortalText();
  useTitle(t("billing"));
  return (
    <div className="bsb-stack portal-narrow bsb:gap-8">
      <h1 className="bsb-h1">{t("billing")}</h1>
      <BillingPage />
    </div>
  );
}

function NotFound() {
  const t = usePortalText();
  useTitle(t("missing"));
  return (
    <div className="bsb-stack portal-narrow bsb:items-center bsb:py-12 bsb:text-center">
      <p className="portal-missing" aria-hidden="true">
        404
      </p>
      <h1 className="bsb-h1">{t("missing")}</h1>
      <p className="bsb-2">{t("missing.about")}</p>
      <p className="bsb-row bsb:mt-2 bsb:justify-center">
        <ButtonLink href="/pricing" variant="primary">
          {t("pricing")}
        </ButtonLink>
        <ButtonLink href="/account/billing">{t("billing")}</ButtonLink>
      </p>
    </div>
  );
}

/** A page that fails (a chunk that is gone after a deployment, say) leaves the shell standing. */
class Boundary extends Component<{ children: ReactNode }, { error: unknown }> {
  override state = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    return this.state.error === null ? (
      this.props.children
    ) : (
      <ErrorNotice error={this.state.error} onRetry={() => location.reload()} />
    );
  }
}
