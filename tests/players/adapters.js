// One face for three players: rungs, sounds and texts that can be selected, and cues at a time.
// `keys` are those of an MPD by their ids, in hexadecimal digits; players of HLS fetch theirs.

// of the languages of a test package, in Hz
const TONES = { en: 440, fr: 1320 };

function script(path) {
  return new Promise((resolve, reject) => {
    const node = document.createElement("script");
    node.src = `node_modules/${path}`;
    node.onload = resolve;
    node.onerror = () => reject(new Error(`${path} is missing`));
    document.head.append(node);
  });
}

// cues of the text tracks of the element that are shown at a time
function cuesOf(video) {
  return (time) => {
    const cues = [...video.textTracks]
      .filter((track) => track.mode !== "disabled" && track.cues)
      .flatMap((track) => [...track.cues])
      .filter((cue) => cue.startTime <= time && time < cue.endTime);
    return cues.map((cue) => cue.text).join("|");
  };
}

// hexadecimal digits as JSON Web Keys have them
function base64url(digits) {
  const bytes = digits.match(/../g).map((byte) => parseInt(byte, 16));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

async function hlsjs(video, url, errors) {
  await script("hls.js/dist/hls.min.js");
  const hls = new Hls();
  // others are dealt with by the player itself
  hls.on(Hls.Events.ERROR, (_, data) => data.fatal && errors.push(`${data.type} ${data.details}`));
  const ready = new Promise((resolve) => hls.on(Hls.Events.MANIFEST_PARSED, resolve));
  hls.loadSource(url);
  hls.attachMedia(video);
  await ready;
  return {
    rungs: () =>
      hls.levels.map(({ width, height }, level) => ({
        width,
        height,
        select: () => (hls.currentLevel = level),
      })),
    sounds: () =>
      hls.audioTracks.map(({ lang }, track) => ({
        language: lang,
        tone: TONES[lang],
        select: () => (hls.audioTrack = track),
      })),
    texts: () =>
      hls.subtitleTracks.map((_, track) => ({
        select: () => {
          hls.subtitleDisplay = true;
          hls.subtitleTrack = track;
        },
      })),
    cues: cuesOf(video),
  };
}

async function dashjs_(video, url, errors, keys) {
  await script("dashjs/dist/modern/umd/dash.all.min.js");
  const player = dashjs.MediaPlayer().create();
  player.updateSettings({
    streaming: {
      abr: { autoSwitchBitrate: { video: false } },
      // cues reach the element when buffers are pruned
      buffer: { fastSwitchEnabled: true, bufferPruningInterval: 1 },
    },
    debug: { logLevel: dashjs.Debug.LOG_LEVEL_NONE },
  });
  player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) =>
    errors.push(error.message || String(error)));
  const ready = new Promise((resolve) =>
    player.on(dashjs.MediaPlayer.events.STREAM_INITIALIZED, resolve));
  player.initialize(video, url, false);
  const clearkeys = Object.fromEntries(
    Object.entries(keys).map((pair) => pair.map(base64url)));
  player.setProtectionData({ "org.w3.clearkey": { clearkeys } });
  await ready;
  return {
    rungs: () =>
      player.getRepresentationsByType("video").map(({ id, width, height }) => ({
        width,
        height,
        select: () => player.setRepresentationForTypeById("video", id, true),
      })),
    sounds: () =>
      player.getTracksFor("audio").map((track) => ({
        language: track.lang,
        tone: TONES[track.lang],
        select: () => player.setCurrentTrack(track),
      })),
    texts: () =>
      player.getTracksFor("text").map((_, track) => ({ select: () => player.setTextTrack(track) })),
    cues: cuesOf(video),
    thumbnail: (time) =>
      new Promise((resolve) =>
        player.provideThumbnail(time, (found) =>
          resolve(found && { url: found.url, x: found.x, y: found.y, width: found.width }))),
  };
}

async function shaka_(video, url, errors, keys) {
  await script("shaka-player/dist/shaka-player.compiled.js");
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  await player.attach(video);
  player.addEventListener("error", ({ detail }) => errors.push(`shaka ${detail.code}`));
  player.configure({ abr: { enabled: false }, drm: { clearKeys: keys } });
  await player.load(url);
  const variants = () => player.getVariantTracks();
  const active = () => variants().find((track) => track.active);
  const unique = (tracks, key) => [...new Map(tracks.map((track) => [key(track), track])).values()];
  return {
    rungs: () =>
      unique(variants(), (track) => track.height).map(({ width, height }) => ({
        width,
        height,
        select: () => {
          const { language } = active();
          const wanted = variants().find(
            (track) => track.height === height && track.language === language);
          player.selectVariantTrack(wanted, true);
        },
      })),
    sounds: () =>
      unique(variants(), (track) => track.language).map(({ language }) => ({
        language,
        tone: TONES[language],
        select: () => {
          const { height } = active();
          const wanted = variants().find(
            (track) => track.height === height && track.language === language);
          player.selectVariantTrack(wanted, true);
        },
      })),
    texts: () =>
      player.getTextTracks().map((track) => ({
        select: () => {
          player.selectTextTrack(track);
          // it learns from other segments of HLS when subtitles begin, and has read them all
          if (url.endsWith(".m3u8")) {
            player.selectVariantTrack(variants().find((one) => !one.active), true);
          }
        },
      })),
    cues: cuesOf(video),
    thumbnail: async (time) => {
      const [track] = player.getImageTracks();
      const found = track && (await player.getThumbnails(track.id, time));
      return found && {
        url: found.uris[0], x: found.positionX, y: found.positionY, width: found.width,
      };
    },
  };
}

export const players = { "hls.js": hlsjs, "dash.js": dashjs_, shaka: shaka_ };
