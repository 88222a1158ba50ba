//! Themes as data: `themes/*.toml` give each role a style.
//!
//! A theme has a `palette` (name to `#rrggbb`) and `roles` (role to `fg`, `bg`,
//! `bold`, …), and may inherit from another: its palette then replaces single
//! colours there, and roles that it leaves out stay as they are.

use crate::color::Depth;
use anyhow::{Context as _, Result, anyhow, bail};
use probe::profile::FrameKind;
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Every theme that is built in: name and text.
pub const THEMES: [(&str, &str); 2] = [
    ("dark", include_str!("../themes/dark.toml")),
    ("light", include_str!("../themes/light.toml")),
];

/// How far themes may inherit, which also ends circles.
const INHERIT_MAX: usize = 4;

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What a style is for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Role { $($(#[$doc])* $name,)* }

        impl Role {
            /// Every role.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in a theme.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

roles! {
    /// Text.
    Text = "text",
    /// Text of less weight.
    Soft = "soft",
    /// What only separates.
    Faint = "faint",
    /// Text of more weight.
    Strong = "strong",
    /// The tool's name.
    Brand = "brand",
    /// Column headings and other bands.
    Band = "band",
    /// The heading of the column that rows are sorted by.
    Sorted = "sorted",
    /// A screen's name.
    Tab = "tab",
    /// The name of the screen that is shown.
    TabCurrent = "tab_current",
    /// A scope or filter that is on.
    Chip = "chip",
    /// The selected row.
    Selected = "selected",
    /// The mark before the selected row.
    MarkerBar = "marker_bar",
    /// A bar.
    Bar = "bar",
    /// The kernel's part of a bar.
    BarKernel = "bar_kernel",
    /// Live.
    Live = "live",
    /// Frozen.
    Frozen = "frozen",
    /// The source has ended.
    Ended = "ended",
    /// As it should be.
    Good = "good",
    /// Worth a look.
    Warn = "warn",
    /// Wrong.
    Bad = "bad",
    /// A key's name.
    Key = "key",
    /// The line that text is typed on.
    Prompt = "prompt",
    /// What a search found.
    Match = "match",
    /// The selected flame box.
    BoxSelected = "box_selected",
    /// Flame boxes too narrow to draw, summed.
    BoxOthers = "box_others",
    /// Kernel code.
    KindKernel = "kind_kernel",
    /// C, C++ and other machine code.
    KindNative = "kind_native",
    /// Rust.
    KindRust = "kind_rust",
    /// Go.
    KindGo = "kind_go",
    /// Python.
    KindPython = "kind_python",
    /// Java virtual machine.
    KindJvm = "kind_jvm",
    /// JavaScript.
    KindJs = "kind_js",
    /// Ruby, PHP, Perl, .NET, Erlang, Lua.
    KindScript = "kind_script",
    /// Machine code made at run time.
    KindJit = "kind_jit",
    /// Not code.
    KindMarker = "kind_marker",
}

impl From<FrameKind> for Role {
    fn from(kind: FrameKind) -> Self {
        match kind {
            FrameKind::Kernel => Self::KindKernel,
            FrameKind::Native => Self::KindNative,
            FrameKind::Rust => Self::KindRust,
            FrameKind::Go => Self::KindGo,
            FrameKind::Python => Self::KindPython,
            FrameKind::Jvm => Self::KindJvm,
            FrameKind::V8 => Self::KindJs,
            FrameKind::Ruby
            | FrameKind::Php
            | FrameKind::Perl
            | FrameKind::Dotnet
            | FrameKind::Beam
            | FrameKind::LuaJit => Self::KindScript,
            FrameKind::Jit => Self::KindJit,
            FrameKind::Marker => Self::KindMarker,
        }
    }
}

/// The kind of code in one word, for the legend and the detail line.
#[must_use]
pub const fn kind_word(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Kernel => "kernel",
        FrameKind::Native => "native",
        FrameKind::Rust => "rust",
        FrameKind::Go => "go",
        FrameKind::Python => "python",
        FrameKind::Jvm => "jvm",
        FrameKind::V8 => "js",
        FrameKind::Ruby => "ruby",
        FrameKind::Php => "php",
        FrameKind::Perl => "perl",
        FrameKind::Dotnet => "dotnet",
        FrameKind::Beam => "beam",
        FrameKind::LuaJit => "luajit",
        FrameKind::Jit => "jit",
        FrameKind::Marker => "no code",
    }
}

/// A style for every role, as the terminal can show it, and the characters to
/// draw with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    styles: Vec<Style>,
    /// The characters that bars, marks and edges are drawn with.
    pub glyphs: &'static Glyphs,
}

/// The characters that are not text.
#[derive(Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// A full cell of a bar.
    pub full: &'static str,
    /// The last cell of a bar, by eighths; its length says how fine it is.
    pub parts: &'static [&'static str],
    /// Rising levels.
    pub levels: &'static [&'static str],
    /// The mark before the selected row.
    pub mark: &'static str,
    /// In the colour of a kind of code.
    pub mark_kind: &'static str,
    /// The left edge of a flame box.
    pub edge: &'static str,
    /// Before LIVE.
    pub live: &'static str,
    /// Before FROZEN.
    pub frozen: &'static str,
    /// Between the parts of a breadcrumb.
    pub crumb: &'static str,
    /// Between facts.
    pub dot: &'static str,
    /// Sorted downwards, upwards.
    pub arrows: [&'static str; 2],
    /// Where text was cut.
    pub ellipsis: char,
    /// Around a page on top of the others.
    pub border: border::Set<'static>,
}

/// For terminals that show UTF-8.
pub const UNICODE: Glyphs = Glyphs {
    full: "█",
    parts: &["▏", "▎", "▍", "▌", "▋", "▊", "▉"],
    levels: &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    mark: "▌",
    mark_kind: "▎",
    edge: "▏",
    live: "●",
    frozen: "❚❚",
    crumb: " › ",
    dot: " · ",
    arrows: ["▾", "▴"],
    ellipsis: '…',
    border: border::PLAIN,
};

/// For all others.
pub const ASCII: Glyphs = Glyphs {
    full: "#",
    parts: &[],
    levels: &["_", ".", "-", "=", "+", "*", "%", "#"],
    mark: ">",
    mark_kind: "",
    edge: "|",
    live: "*",
    frozen: "=",
    crumb: " > ",
    dot: " - ",
    arrows: ["v", "^"],
    ellipsis: '~',
    border: border::Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    },
};

impl Glyphs {
    /// What the locale says (`LC_ALL` before `LC_CTYPE` before `LANG`, POSIX
    /// "Environment Variables" 8.2).
    pub fn detect(var: impl Fn(&str) -> Option<String>) -> &'static Self {
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        let utf8 = locale.contains("utf-8") || locale.contains("utf8");
        if utf8 { &UNICODE } else { &ASCII }
    }
}

impl Theme {
    /// The built-in theme `name`, as a terminal of `depth` shows it.
    ///
    /// # Errors
    ///
    /// Where there is no such theme or it is malformed, in one line that names
    /// what there is.
    pub fn load(name: &str, depth: Depth, glyphs: &'static Glyphs) -> Result<Self> {
        let mut chain = vec![File::parse(name, source(name)?)?];
        while let Some(parent) = chain.last().and_then(|file| file.inherits.clone()) {
            if chain.len() >= INHERIT_MAX {
                bail!("theme {name:?} inherits more than {INHERIT_MAX} deep");
            }
            chain.push(File::parse(&parent, source(&parent)?)?);
        }
        let mut merged = File::default();
        for file in chain.into_iter().rev() {
            merged.palette.extend(file.palette);
            merged.roles.extend(file.roles);
        }
        let style = |role: &Role| {
            let look = merged.roles.get(role.name());
            let look = look.with_context(|| format!("theme {name:?} has no {:?}", role.name()))?;
            let style = look.style(&merged.palette);
            style.map(|style| depth.style(style)).with_context(|| format!("theme {name:?}"))
        };
        let styles = Role::ALL.iter().map(style).collect::<Result<_>>()?;
        Ok(Self { styles, glyphs })
    }

    /// The style of a role.
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role as usize).copied().unwrap_or_default()
    }
}

/// The text of the built-in theme `name`.
///
/// # Errors
///
/// Where there is none, with the names that there are.
pub fn source(name: &str) -> Result<&'static str> {
    let found = THEMES.iter().find(|(theme, _)| *theme == name);
    found.map(|(_, text)| *text).ok_or_else(|| {
        let names: Vec<_> = THEMES.iter().map(|(theme, _)| *theme).collect();
        anyhow!("no theme {name:?}; there are {}", names.join(", "))
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    inherits: Option<String>,
    #[serde(default)]
    palette: BTreeMap<String, String>,
    #[serde(default)]
    roles: BTreeMap<String, Look>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    fg: Option<String>,
    bg: Option<String>,
    #[serde(default)]
    bold: bool,
    #[serde(default)]
    underlined: bool,
}

impl File {
    fn parse(name: &str, text: &str) -> Result<Self> {
        let file: Self = toml::from_str(text).map_err(|error| {
            let message = error.message().lines().next().unwrap_or_default();
            anyhow!("theme {name:?}: {message}")
        })?;
        let known = |role: &str| Role::ALL.iter().any(|known| known.name() == role);
        if let Some(role) = file.roles.keys().find(|role| !known(role)) {
            let names: Vec<_> = Role::ALL.iter().map(|role| role.name()).collect();
            bail!("theme {name:?} has a role {role:?}; there are {}", names.join(", "));
        }
        Ok(file)
    }
}

impl Look {
    fn style(&self, palette: &BTreeMap<String, String>) -> Result<Style> {
        let color = |name: &Option<String>| match name {
            Some(name) => {
                let value = palette.get(name).with_context(|| {
                    let names: Vec<_> = palette.keys().map(String::as_str).collect();
                    format!("no colour {name:?} in the palette; there are {}", names.join(", "))
                })?;
                parse_color(value).map(Some)
            }
            None => Ok(None),
        };
        let mut style = Style { fg: color(&self.fg)?, bg: color(&self.bg)?, ..Style::default() };
        if self.bold {
            style = style.add_modifier(Modifier::BOLD);
        }
        if self.underlined {
            style = style.add_modifier(Modifier::UNDERLINED);
        }
        Ok(style)
    }
}

fn parse_color(text: &str) -> Result<Color> {
    let hex = text.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.is_ascii());
    let parsed = hex.and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let [_, r, g, b] = parsed
        .with_context(|| format!("{text:?} is no colour; write it like \"#82b1ff\""))?
        .to_be_bytes();
    Ok(Color::Rgb(r, g, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_has_every_role_at_every_depth() {
        for (name, _) in THEMES {
            for depth in [Depth::True, Depth::Indexed, Depth::Ansi, Depth::None] {
                let theme = Theme::load(name, depth, &UNICODE).unwrap();
                assert_eq!(theme.styles.len(), Role::ALL.len());
            }
        }
    }

    #[test]
    fn a_child_changes_colors_below_inherited_roles() {
        let dark = Theme::load("dark", Depth::True, &UNICODE).unwrap();
        let light = Theme::load("light", Depth::True, &UNICODE).unwrap();
        assert_ne!(dark.style(Role::Text), light.style(Role::Text));
        assert_eq!(light.style(Role::Bar).fg, Some(Color::Rgb(0x1f, 0x5f, 0xbf)));
    }

    #[test]
    fn errors_are_one_line_and_name_what_there_is() {
        let check = |text: &str, expected: &str| {
            let error = File::parse("x", text).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains('\n'), "{error}");
        };
        check("[roles]\nbogus = {}", "a role \"bogus\"; there are text, soft");
        check("[roles]\ntext = { fgg = \"a\" }", "unknown field");
        check("color = 1", "unknown field");
        check("[palette", "theme \"x\":");
        assert!(source("mauve").unwrap_err().to_string().ends_with("there are dark, light"));
        assert!(parse_color("#12345").is_err() && parse_color("#12345é").is_err());
        let look = Look { fg: Some("ink".into()), ..Look::default() };
        assert!(look.style(&BTreeMap::new()).is_err());
    }

    #[test]
    fn the_locale_decides_the_characters() {
        let with = |pairs: &'static [(&str, &str)]| {
            move |name: &str| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            }
        };
        assert_eq!(Glyphs::detect(with(&[("LANG", "en_US.UTF-8")])), &UNICODE);
        assert_eq!(Glyphs::detect(with(&[("LANG", "de_DE.utf8"), ("LC_ALL", "C")])), &ASCII);
        assert_eq!(Glyphs::detect(with(&[])), &ASCII);
    }
}
