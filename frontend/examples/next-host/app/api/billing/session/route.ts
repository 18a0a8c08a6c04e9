import { gate } from "../../../../lib/gate";

export const GET = (request: Request): Promise<Response> => gate().session.GET(request);
export const POST = (request: Request): Promise<Response> => gate().session.POST(request);
export const DELETE = (request: Request): Promise<Response> => gate().session.DELETE(request);
