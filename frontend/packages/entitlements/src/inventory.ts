/** The inventory of a host: its public ways in, and which of them go through the gate. For a test of the host. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";

/** What judges its caller itself: by what they bought, or by a signature. */
const GATES = ["withFeature", "gatedAction", "onBillingEvent"];
/** What else a route exports configures it. */
const HANDLER = /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|default|export [^]*)$/;

export interface WayIn {
  /** `src/app/api/chat/route.ts POST` */
  name: string;
  gated: boolean;
}

export interface InventoryOptions {
  /** Files, or single ways in, that anybody may call because they cost nothing. */
  readonly free?: readonly string[];
  /** Functions of the host that go through the gate themselves, beside `withFeature`, `gatedAction` and `onBillingEvent`. */
  readonly gates?: readonly string[];
}

/** What is wrong below a folder (`src`): the ways in without a gate, and what is listed as free and is not there. */
export function openWays(folder: string, { free = [], gates = [] }: InventoryOptions = {}): string[] {
  const ways = waysIn(folder, gates);
  const lists = (entry: string, { name }: WayIn): boolean => name === entry || name.startsWith(`${entry} `);
  const open = ways.filter((way) => !way.gated && !free.some((entry) => lists(entry, way)));
  const gone = free.filter((entry) => !ways.some((way) => lists(entry, way)));
  return [...open.map(({ name }) => name), ...gone.map((entry) => `${entry} is listed as free, and is not there`)];
}

/** Every exported handler of a route and every Server Action below `folder`, each named from there on. */
export function waysIn(folder: string, gates: readonly string[] = []): WayIn[] {
  const prefix = folder.split(path.sep).join("/").replace(/^\.\//, "").replace(/\/$/, "");
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.[jt]sx?$/.test(file) && !/(^|[/\\])(node_modules|\.next)[/\\]/.test(file))
    .map((file) => [path.posix.join(prefix, file.split(path.sep).join("/")), path.join(folder, file)] as const)
    .flatMap(([name, file]) => waysInOf(name, readFileSync(file, "utf8"), gates));
}

export function waysInOf(file: string, text: string, gates: readonly string[] = []): WayIn[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const way = (name: string, code: ts.Node): WayIn => ({ name: `${file} ${name}`, gated: callsGate(code, [...GATES, ...gates]) });
  const route = /(^|\/)route\.[jt]sx?$/.test(file);
  if (route || isServer(source)) {
    return source.statements.flatMap((statement) =>
      exportsOf(statement)
        .filter((name) => !route || HANDLER.test(name))
        .map((name) => way(name, statement)),
    );
  }
  const inline: WayIn[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && "body" in node && node.body && ts.isBlock(node.body) && isServer(node.body)) {
      inline.push(way(node.name?.getText() ?? `line ${String(lineOf(node))}`, node));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return inline;
}

/** What a statement exports; of lists and of other files only that it does, because what they are cannot be seen here. */
function exportsOf(statement: ts.Statement): string[] {
  if (ts.isExportDeclaration(statement)) return statement.isTypeOnly ? [] : [statement.getText()];
  if (ts.isExportAssignment(statement)) return ["default"];
  const exported = ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword);
  if (!exported) return [];
  if (ts.isFunctionDeclaration(statement)) return [statement.name?.text ?? "default"];
  if (!ts.isVariableStatement(statement)) return [];
  return statement.declarationList.declarations.flatMap(({ name }) =>
    ts.isObjectBindingPattern(name) ? name.elements.map((element) => element.name.getText()) : [name.getText()],
  );
}

function isServer({ statements }: ts.SourceFile | ts.Block): boolean {
  const [first] = statements;
  return !!first && ts.isExpressionStatement(first) && ts.isStringLiteral(first.expression) && first.expression.text === "use server";
}

function callsGate(node: ts.Node, gates: readonly string[]): boolean {
  if (ts.isCallExpression(node)) {
    const called = ts.isPropertyAccessExpression(node.expression) ? node.expression.name : node.expression;
    if (gates.includes(called.getText())) return true;
  }
  return ts.forEachChild(node, (child) => callsGate(child, gates)) ?? false;
}

function lineOf(node: ts.Node): number {
  return node.getSourceFile().getLineAndCharacterOfPosition(node.getStart()).line + 1;
}
