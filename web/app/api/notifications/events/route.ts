// The live stream of what the viewer is told.
import { NotificationsLiveDocument } from '@/graphql/generated';
import { openOwnStream } from '@/graphql/own-stream';

export const dynamic = 'force-dynamic';

export async function GET(request: Request): Promise<Response> {
  return openOwnStream(request, NotificationsLiveDocument, {});
}
