import type { PictureFragment } from '@/graphql/generated';

/** All pictures in one scrolling strip with snap points: needs no script, and its size is known before they load. */
export function Gallery({ images, name }: { images: PictureFragment[]; name: string }) {
  if (images.length === 0) return <div className="card aspect-square bg-raised" />;
  const several = images.length > 1;
  return (
    <div
      className="card flex snap-x snap-mandatory overflow-x-auto"
      {...(several ? { tabIndex: 0, role: 'group', 'aria-label': `Pictures of ${name}` } : {})}
    >
      {images.map((image, at) => (
        <img
          key={image.url}
          src={image.url}
          alt={image.alt || name}
          width={image.width}
          height={image.height}
          fetchPriority={at === 0 ? 'high' : 'auto'}
          loading={at === 0 ? 'eager' : 'lazy'}
          className="aspect-square w-full shrink-0 snap-center object-cover"
        />
      ))}
    </div>
  );
}
