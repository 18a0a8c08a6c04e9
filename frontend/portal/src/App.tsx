import { BillingProvider, type Session } from "@bitsleuth/billing-react";
import { useTexts, type Texts } from "./language.js";
import { Pages } from "./Pages.js";
import { Shell } from "./Shell.js";
import { TextsContext } from "./text.js";

export function App({ session, initialTexts }: { session: Session; initialTexts: Texts }) {
  const [texts, choose] = useTexts(initialTexts);
  return (
    <TextsContext value={texts}>
      <BillingProvider session={session} locale={texts.language} messages={texts.billing}>
        <Shell language={texts.language} onLanguage={choose}>
          <Pages />
        </Shell>
      </BillingProvider>
    </TextsContext>
  );
}
