import type { NextRequest } from "next/server";
import { ask } from "@/lib/ai";

export async function POST(request: NextRequest) {
  return new Response(await ask(`report for ${request.nextUrl.pathname}`));
}
