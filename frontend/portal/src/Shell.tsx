import { Button, Dialog, SellerLinks, SignIn, SignOutDialog, useUserId } from "@bitsleuth/billing-react";
import { RenewalNotice } from "@bitsleuth/billing-react/notice";
import { useState, type ReactNode } from "react";
import { LANGUAGES, type Language } from "./language.js";
import { MAIN, useLocation } from "./router.js";
import { useWorksHere } from "./staff.js";
import { usePortalText } from "./text.js";
import { useTheme } from "./theme.js";

/** The billing page tells what ends in its own place; who works here, or has just paid, has other things to see. */
const HAS_ITS_OWN = /^\/(account|console|checkout)\b/;

interface ShellProps {
  language: Language;
  onLanguage: (language: Language) => void;
  children: ReactNode;
}

export function Shell({ language, onLanguage, children }: ShellProps) {
  const t = usePortalText();
  const { pathname } = useLocation();
  const works = useWorksHere();
  const link = (href: string, text: string) => (
    <a href={href} aria-current={pathname === href ? "page" : pathname.startsWith(href.replace(/\/plans$/, "")) ? true : undefined}>
      {text}
    </a>
  );
  return (
    <div className="bsb portal">
      <a className="portal-skip" href={`#${MAIN}`}>
        {t("skip")}
      </a>
      <header className="portal-header">
        <div className="portal-wide portal-bar">
          <a className="portal-brand" href="/pricing">
            <img src="/mark.svg" alt="" width="26" height="26" />
            BitSleuth
          </a>
          <nav className="portal-nav" aria-label={t("nav")}>
            {link("/pricing", t("pricing"))}
            {link("/demo", t("demo"))}
            {link("/account/billing", t("billing"))}
            {works && link("/console/plans", t("admin"))}
          </nav>
          <div className="portal-tools">
            {/* Shows the short form; the list itself, which lies over it, has the names. */}
            <label className="portal-language">
              <span aria-hidden="true">{language.toUpperCase()}</span>
              <select aria-label={t("language")} value={language} onChange={(event) => onLanguage(event.target.value as Language)}>
                {Object.entries(LANGUAGES).map(([tag, name]) => (
                  <option key={tag} value={tag} lang={tag}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
            <ThemeButton />
            <Account />
          </div>
        </div>
      </header>
      <main id={MAIN} className="portal-main portal-wide" tabIndex={-1}>
        {children}
        {!HAS_ITS_OWN.test(pathname) && <RenewalNotice />}
      </main>
      <footer className="portal-footer">
        <div className="portal-wide bsb-row bsb-between">
          <p>{t("footer")}</p>
          <SellerLinks />
        </div>
      </footer>
    </div>
  );
}

function ThemeButton() {
  const t = usePortalText();
  const [theme, toggle] = useTheme();
  return (
    <Button variant="ghost" size="icon" aria-label={t(theme === "dark" ? "theme.light" : "theme.dark")} onClick={toggle}>
      <svg width="18" height="18" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.75" strokeLinecap="round" aria-hidden="true">
        {theme === "dark" ? (
          <path d="M12 3v2m0 14v2M4.2 4.2l1.4 1.4m12.8 12.8 1.4 1.4M3 12h2m14 0h2M4.2 19.8l1.4-1.4M18.4 5.6l1.4-1.4M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0Z" />
        ) : (
          <path d="M20.5 14.2A8.5 8.5 0 1 1 9.8 3.5a7 7 0 0 0 10.7 10.7Z" />
        )}
      </svg>
    </Button>
  );
}

function Account() {
  const t = usePortalText();
  const userId = useUserId();
  const { pathname } = useLocation();
  const [open, setOpen] = useState(false);
  if (userId !== null) {
    return (
      <>
        <Button size="small" variant="ghost" onClick={() => setOpen(true)}>
          {t("signout")}
        </Button>
        {open && <SignOutDialog onClose={() => setOpen(false)} />}
      </>
    );
  }
  // Who works here signs in on the admin's page itself.
  if (pathname.startsWith("/console")) return null;
  return (
    <>
      <Button size="small" onClick={() => setOpen(true)}>
        {t("signin")}
      </Button>
      {open && (
        <Dialog onClose={() => setOpen(false)} title={t("signin")} description={t("signin.about")}>
          <SignIn onDone={() => setOpen(false)} />
        </Dialog>
      )}
    </>
  );
}
