"""The texts of a report that no figure changes."""

CLAIMS = (
    "Of Jung & Jeong (2025), worded as claims, not quoted; the abstract holds that a randomly "
    "initialised linear mapping of EnCodec's embeddings preserves semantic richness, where explicit "
    "feature mappings lose it. *Supported* means that the 95 % interval excludes the opposite, "
    "*contradicted* that it excludes the claim, *partly* that one test says yes and another does not; "
    "intervals are not corrected for the number of tests."
)

DRIVERS = (
    "Every driver is calibrated on the same clip and goes through the same path at the default "
    "parameters; `default` is the encoder {encoder}. {published} Mind the circle: the reference hears "
    "cepstra, a linear map of log-mel bands, and chroma, which the hand-crafted driver hears too, so "
    "these two have a head start."
)

PROJECTIONS = (
    "*Aligned* sends the latents' k-th principal component to W's k-th principal direction; *learned* "
    "is a ridge regression from latents to the description of the sound, laid along W's principal "
    "directions, fitted on half of the tracks and judged on the other half. `learned.safetensors` "
    "beside this report holds the one fitted on all (`--learned FILE --set projection.kind=learned`)."
)

KNOBS = (
    "Similarity with the sound of w+ and pictures; onsets: correlation with the own track's less that "
    "with other tracks'; delay: of the fine layers' motion behind onsets. The failure signatures "
    "(medians over the last 4 s; coarse / middle / fine): diversity, static output when low; jitter "
    "above 8 Hz; lag of the windows; strangeness, as a share of the distance that 99 % of the "
    "generator's own w stay within, glitches when above 1. Change and spread are of pictures; "
    "smoothness is the cosine of successive moves of 0.2 s of the middle layers (1 straight on, −0.5 "
    "noise, lower: to and fro)."
)

DEFAULTS = (
    "Each default against what differs from it in that alone: w+'s and pictures' similarity with the "
    "sound, the pictures' answer to onsets, and their spread (ΔE, more is livelier), less the default's. *In "
    "question*: something did better at no cost in these four; *a trade*: it gained here and lost there; "
    "*confirmed*: all that differed did worse. Jitter, lag and strangeness, which the table of the knobs "
    "has, count as well."
)

METHOD = (
    "- **Sound** is described without any encoder: timbre (mean and spread of cepstra), harmony (chroma) "
    "and dynamics (level, brightness, beginnings) of windows of 1 s every 0.5 s, the three weighing the "
    "same. What likeness a person hears, nobody was asked.\n"
    "- **Pictures** are compared as 16 × 16 thumbnails in CIE L\\*a\\*b\\*: colour, light and layout. "
    "Texture and objects escape it.\n"
    "- **Similarity** is Spearman's correlation of all distances between windows at least 2 s apart "
    "(representational similarity; Kriegeskorte et al. 2008). What moves smoothly is like itself a moment "
    "later anyway, and any two series that drift look alike in their distances; so the control is the "
    "sound of the other tracks with the same pictures, which drifts as much. The own sound turned in time "
    "does not drift along and is a weaker control.\n"
    "- **Neighbours**: of a window's 5 nearest in sound, the share that is among the 5 nearest in pictures "
    "(mutual nearest neighbours; Huh et al. 2024). **Sections** are found in the sound by novelty (Foote "
    "2000), without a hand. Their controls are the other tracks' sounds and sections.\n"
    "- **Onsets**: correlation of the beginnings in the sound with speed in w+, and with the change between "
    "pictures (15 a second for {motion} s), at the best delay up to 1 s; the best of many delays is above "
    "zero even for strangers, so the control, other tracks' onsets, matters.\n"
    "- The first 10 s are left out. A track begins cold: `mapper.adapt` is still finding its level while it "
    "is measured, as in the first minute of a show; *heard before* is the same track after one hearing.\n"
    "- The path is lavlive's own (`LatentPath`), fed with recorded latents, so the results are about "
    "lavlive and its reading of the leaky tanh, not about the paper's code.\n"
    "- One generator. Another has another W, other pictures and other limits."
)

AGAIN = (
    "    python -m lavlive.training.study_tracks TRACKS\n"
    "    lavlive study TRACKS -o STUDY\n"
    "    python tools/study.py STUDY\n\n"
    "The first fetches the music ([study-tracks.md](study-tracks.md)), the last puts report, figures and the "
    "README's section in their places. What is done is kept in STUDY/kept: a study that was stopped goes on, "
    "`--so-far` reports what there is, and another generator needs no track heard again. On two cores with "
    "little else to do 48 trials took a minute; 18 tracks at the default options are 900."
)
