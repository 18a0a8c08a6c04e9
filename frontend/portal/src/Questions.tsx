import { usePlans } from "@bitsleuth/billing-react";
import { useContext, useEffect, useState } from "react";
import type { Language } from "./language.js";
import { TextsContext, usePortalText } from "./text.js";

interface Question {
  question: string;
  answer: string;
  /** Asked only where one can pay so. */
  rail?: string;
}

/** What buyers ask before they buy. The catalogue is a file beside the pages (`/questions/en.json`), the operator's to edit. */
export function Questions() {
  const t = usePortalText();
  const { language } = useContext(TextsContext);
  const catalogue = usePlans().data;
  const questions = useQuestions(language);
  const rails = new Set(catalogue?.quotes.flatMap((quote) => quote.rails.map(({ rail }) => rail as string)));
  const shown = questions.filter(({ rail }) => rail === undefined || rails.has(rail));
  if (!catalogue || shown.length === 0) return null;
  return (
    <section className="bsb-stack bsb:mx-auto bsb:w-full bsb:max-w-2xl" aria-labelledby="questions">
      <h2 className="bsb-h2" id="questions">
        {t("questions")}
      </h2>
      <div className="bsb-stack bsb:gap-2">
        {shown.map(({ question, answer }) => (
          <details key={question} className="bsb-card">
            <summary className="bsb-summary">{question}</summary>
            <p className="bsb-2 bsb:mt-2">{answer}</p>
          </details>
        ))}
      </div>
    </section>
  );
}

function useQuestions(language: Language): readonly Question[] {
  const [read, setRead] = useState<readonly Question[]>([]);
  useEffect(() => {
    let gone = false;
    void questionsIn(language).then((questions) => !gone && setRead(questions));
    return () => {
      gone = true;
    };
  }, [language]);
  return read;
}

/** None where the operator took the file away; what is no question is left out. */
async function questionsIn(language: Language): Promise<readonly Question[]> {
  try {
    const answer = await fetch(`/questions/${language}.json`);
    const list = answer.ok ? ((await answer.json()) as unknown) : [];
    const isQuestion = (each: Partial<Question> | null) => typeof each?.question === "string" && typeof each.answer === "string";
    return Array.isArray(list) ? (list as Question[]).filter(isQuestion) : [];
  } catch {
    return [];
  }
}
