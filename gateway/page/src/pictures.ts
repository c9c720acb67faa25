// Pictures that somebody brings along.

export const TYPES = ["image/png", "image/jpeg", "image/webp"];

// Whether some of a picture can be seen through. Looks at it in small.
export function isTransparent(picture: HTMLImageElement): boolean {
  const canvas = document.createElement("canvas");
  canvas.width = Math.min(256, picture.naturalWidth);
  canvas.height = Math.min(256, picture.naturalHeight);
  const context = canvas.getContext("2d")!;
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value, i) => i % 4 === 3 && value < 128);
}
